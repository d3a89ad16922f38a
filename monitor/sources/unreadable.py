"""The one way a document says that nothing of it could be read."""

from __future__ import annotations


class Unreadable(Exception):
    """Nothing at all could be read. The message continues a sentence that begins with the document's name.

    `passing`: the fault is the machine's, and trying again may help.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing
