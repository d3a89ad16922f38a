"""YAML lives only here: rule files, receivers and sources become checked objects with places."""
