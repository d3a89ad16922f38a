"""Language codes: `zh` covers zh-Hans and zh-TW; the case of letters means nothing."""

from __future__ import annotations

from collections.abc import Iterable


def speaks(language: str | None, wanted: Iterable[str]) -> bool:
    """Whether a document's language is one of those wanted; an unknown one is none."""
    if language is None:
        return False
    own = language.lower().replace("_", "-")
    return any(own == code or own.startswith(f"{code}-") for code in (word.lower() for word in wanted))
