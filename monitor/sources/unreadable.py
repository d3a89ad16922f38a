"""The one way a document says that nothing of it could be read."""

from __future__ import annotations


class Unreadable(Exception):
    """Nothing at all could be read. The message continues a sentence that begins with the document's name."""
