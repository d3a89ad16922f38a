"""Regular expressions as terms: RE2 syntax, what each match must hold, and where it matches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from monitor.matching.fold import GAP, fold
from monitor.matching.scripts import joined
from monitor.matching.terms import Regex, TermFault

MAX_SPAN: Final = 200
MIN_NEEDLE: Final = 3
_MEMORY: Final = 8 << 20

_TOKEN: Final = re.compile(
    r"(?P<quoted>\\Q.*?(?:\\E|$))|(?P<kind>\\(?:[pP](?:\{[^}]*\}|.)|x(?:\{[^}]*\}|..)|[0-9]{1,3}|[A-Za-z]))|\\(?P<sign>.)"
    r"|(?P<set>\[\^?\]?(?:\[:[^\]]*:\]|\\.|[^\]\\])*\])|(?P<bracket>[()|])|(?P<repeat>[?*+]|\{\d+(?:,\d*)?\})"
    r"|(?P<any>[.^$])|(?P<letter>.)",
    re.DOTALL,
)


def regex(pattern: str, any_case: bool) -> Regex | TermFault:
    """A term in RE2 syntax, or its fault in words."""
    import re2

    try:
        compiled = _compiled(pattern, any_case)
    except re2.error as error:
        return TermFault(1, _in_words(error, pattern))
    edge = next((found.start() for found in _TOKEN.finditer(pattern) if found["any"] in ("^", "$")), None)
    if edge is not None:
        return TermFault(1 + edge, f"'{pattern[edge]}' means nothing in a term, which begins and ends with a word")
    if compiled.fullmatch(""):
        return TermFault(1, f"/{pattern}/ matches nothing at all; ask for at least one sign")
    return Regex(needles(pattern), pattern, any_case)


@cache
def _compiled(pattern: str, any_case: bool) -> Any:
    import re2

    options = re2.Options()
    options.case_sensitive = not any_case
    options.log_errors = False
    options.longest_match = True
    options.max_mem = _MEMORY
    return re2.compile(pattern, options)


def _in_words(error: Exception, pattern: str) -> str:
    what = error.args[0].decode("utf-8", "replace") if error.args and isinstance(error.args[0], bytes) else str(error)
    if re.search(r"\(\?<?[=!]", pattern):
        return "look-around is not known (RE2 syntax); write the words around it as a second term with w/N"
    if re.search(r"\\[1-9]", pattern):
        return "a back-reference is not known (RE2 syntax)"
    return f"not a regular expression in RE2 syntax: {what}"


def needles(pattern: str) -> tuple[str, ...]:
    """Folded strings of three characters or more of which each match holds one; empty where none is certain."""
    found = []
    for branch in _branches(pattern):
        best = max(_runs(branch), key=len, default="")
        if len(best) < MIN_NEEDLE:
            return ()
        found.append(best)
    return tuple(dict.fromkeys(found))


def _branches(pattern: str) -> list[list[re.Match[str]]]:
    """The alternatives of the outermost level, as tokens; groups are left out, with what repeats them."""
    branches: list[list[re.Match[str]]] = [[]]
    depth = 0
    for token in _TOKEN.finditer(pattern):
        if token["bracket"] == "(":
            depth += 1
        elif token["bracket"] == ")":
            depth -= 1
        if depth == 0 and token["bracket"] == "|":
            branches.append([])
        elif depth == 0 or token["bracket"] == "(":
            branches[-1].append(token)
    return branches


def _runs(tokens: list[re.Match[str]]) -> Iterator[str]:
    run = ""
    for token in tokens:
        if token["letter"] or token["sign"] or token["quoted"]:
            run += token["letter"] or token["sign"] or token["quoted"][2:].removesuffix("\\E")
            continue
        if token["repeat"]:
            optional = token["repeat"] in ("?", "*") or token["repeat"].startswith(("{0,", "{0}"))
            yield from _folded_parts(run[:-1] if optional else run)
            run = ""
            continue
        yield from _folded_parts(run)
        run = ""
    yield from _folded_parts(run)


def _folded_parts(run: str) -> list[str]:
    return re.split(f"[{GAP}']", fold(run)) if run else []


def spans(term: Regex, given: str) -> Iterator[tuple[int, int]]:
    """Matches in one paragraph, leftmost and longest, that begin and end at word ends; at most 200 characters each."""
    compiled = _compiled(term.pattern, term.any_case)
    if compiled.search(given) is None:
        return
    at = 0
    while at < len(given):
        if not given[at].isspace() and not joined(given, at):
            end = _longest_end(compiled, given, at)
            if end > at:
                yield at, end
                at = end
                continue
        at += 1


def _longest_end(compiled: Any, given: str, start: int) -> int:
    """The farthest word end up to which the expression matches from `start`; `start` where there is none."""
    window = given[start : start + MAX_SPAN + 1]
    found = compiled.match(window)
    if found is None:
        return start
    for end in range(min(found.end(), MAX_SPAN), 0, -1):
        if not joined(given, start + end) and (end == found.end() or compiled.fullmatch(window[:end])):
            return start + end
    return start
