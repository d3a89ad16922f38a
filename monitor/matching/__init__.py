"""The rule language and its engine. Pure: texts in, matches with their places out."""
