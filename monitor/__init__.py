"""Event-sourced news monitoring: sources in, exact rules, explained alerts and digests out."""

__version__ = "0.1.0"
