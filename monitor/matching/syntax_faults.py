"""What the parser stumbled over, in words that tell how to write it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

_HOW_NEAR = re.compile(r"(?P<word>within|near|pre|w)\s*/?\s*(?P<number>\d{1,4})(?!\w)|within(?!\w)", re.IGNORECASE)
"""What other systems or plain English would have for `w/N`."""
_QUOTES = "\"'“”„"


class Fault(NamedTuple):
    """One thing wrong, at a character offset of the expression."""

    offset: int
    message: str


def syntax_fault(text: str, error: Any) -> Fault:
    """What the parser stumbled over (a lark error), in words, at the place in `text` where it is to be mended."""
    import lark

    at = error.pos_in_stream if error.pos_in_stream is not None else len(text)
    token = getattr(error, "token", None)
    if isinstance(error, lark.UnexpectedCharacters):
        return _character_fault(text, at)
    if not text.strip():
        return Fault(0, "the expression is empty; write a concept or a literal in quotes")
    expected: set[str] = set(getattr(error, "accepts", None) or getattr(error, "expected", None) or ())
    if token is None or token.type == "$END":
        end = len(text.rstrip())
        if expected == {"RPAR"}:
            opened = _unclosed(text)
            return Fault(opened, "this '(' is never closed")
        return Fault(end, "the expression stops where a concept, a literal in quotes or '(' is wanted")
    if token.type == "RPAR":
        if "NAME" in expected:
            return Fault(at, "')' stands where a concept, a literal in quotes or '(' is wanted")
        return Fault(at, "this ')' closes nothing")
    if "AND" in expected or expected == {"$END"} or "RPAR" in expected:
        return _side_by_side(text, at, token)
    return Fault(at, f"'{token}' stands where a concept, a literal in quotes or '(' is wanted")


def _side_by_side(text: str, at: int, token: Any) -> Fault:
    before = re.search(r"[\w.\-]+[!*?]*\s*$", text[:at])
    left, right = before[0].strip() if before else "", str(token)
    for place in (at, before.start() if before else at):
        if near := _HOW_NEAR.match(text, place):
            sign = "pre" if (near["word"] or "").lower() == "pre" else "w"
            return Fault(
                place, f"'{near[0]}' is not known; within so many words is written {sign}/{near['number'] or 'N'}"
            )
    if before and left.lower() in ("and", "or", "w", "near", "pre"):
        return Fault(before.start(), f"'{left}' stands where a concept, a literal in quotes or '(' is wanted")
    if token.type == "NAME" and before:
        pair = f"{left} {right}"
        if re.match(r"(atleast|distinct)\d*$", left, re.IGNORECASE):
            return Fault(before.start(), f"a count has parentheses and a number: {left.rstrip('0123456789')}2({right})")
        return Fault(
            at, f'two words side by side; write "{pair}" for the phrase, or {left} and {right}, or {left} or {right}'
        )
    if token.type == "NOT":
        return Fault(at, "'not' after an operand; write 'and not', or 'not w/N', 'not w/s', 'not w/p'")
    return Fault(at, f"'{token}' stands where 'and', 'or' or proximity (w/N, w/s, w/p, pre/N) is wanted")


def _character_fault(text: str, at: int) -> Fault:
    char = text[at]
    if char in _QUOTES:
        return Fault(at, "the quote that begins here is never closed")
    if char in "/=*?":
        return Fault(at, f"a term that begins with '{char}' stands in quotes")
    if char == "!":
        return Fault(at, "'!' is not known here; write * in a quoted term for any ending, and 'not' for negation")
    return Fault(at, f"'{char}' means nothing here; terms with signs stand in quotes")


def _unclosed(text: str) -> int:
    opened: list[int] = []
    for found in re.finditer(r"\"[^\"]*\"|'[^']*'|[“„][^”“]*[”“]|[()]", text):
        if found[0] == "(":
            opened.append(found.start())
        elif found[0] == ")" and opened:
            opened.pop()
    return opened[-1] if opened else len(text)
