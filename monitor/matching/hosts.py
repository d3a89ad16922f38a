"""Host names in one spelling, so that a rule's `правительство.рф` is an address's `xn--…`."""

from __future__ import annotations

import re
from typing import Final

_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,62}(?<!-))?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}(?<!-))?)*")


def host_name(text: str) -> str | None:
    """A host's name in lower-case ASCII (IDNA), without a dot at either end; None where it is none."""
    name = text.strip(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    return name if len(name) <= 253 and _HOST.fullmatch(name) else None
