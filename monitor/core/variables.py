"""`${NAME}` in a text of the owner's: where it stands, and the text with its value."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"\$\{([^}]*)\}")
_SOUND = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
RESERVED = "MONITOR_"


def variables(text: str) -> tuple[str, ...]:
    """Names written as `${NAME}`, in order, sound or not."""
    return tuple(_NAME.findall(text))


def name_problem(name: str) -> str | None:
    """What is wrong with a variable's name, in words; None where nothing is."""
    if not _SOUND.match(name):
        return f"'${{{name}}}' is not a variable's name: letters, digits and _ only"
    if name.startswith(RESERVED):
        return f"'${{{name}}}': a {RESERVED}* variable is the program's own and is never put into a request"
    return None


def expand(text: str, values: Mapping[str, str]) -> str:
    """The text with values. Raises `KeyError` with the name that has none; the result is a secret."""

    def value(found: re.Match[str]) -> str:
        if name_problem(found[1]):
            raise KeyError(found[1])
        return values[found[1]]

    return _NAME.sub(value, text)
