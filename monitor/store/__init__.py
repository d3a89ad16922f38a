"""The event log and its views in SQL and in memory. SQL lives only here."""
