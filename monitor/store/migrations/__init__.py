"""Table migrations. A log lives for years: a step is never edited once it was released."""
