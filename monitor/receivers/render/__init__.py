"""A composed digest as a person or a program reads it: text, HTML, a complete mail, a webhook's JSON."""

TEMPLATE_VERSION = "4"
"""Raised with every change that alters a rendered byte; part of the adopted configuration."""
