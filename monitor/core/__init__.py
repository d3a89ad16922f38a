"""Decisions and folds. Pure: no I/O, no clock, no chance; state and instants in, events and reasons out."""
