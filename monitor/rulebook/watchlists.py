"""Watch-lists: .csv with a header (name, aliases, id) or .txt, one name a line. A broken row is named, others load."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import NamedTuple

from monitor.errors import Fault
from monitor.matching.book import Term
from monitor.matching.terms import TermFault, name
from monitor.rulebook.nodes import UNPRINTABLE, File

MAX_NAMES = 1_000_000
MAX_ROW_LINES = 8
_DELIMITERS = ",;\t"


class Watchlist(NamedTuple):
    """The names of one file, at most `MAX_NAMES` and one."""

    path: str
    terms: tuple[Term, ...]


def read_watchlist(path: str, text: str, warnings: list[Fault]) -> Watchlist:
    """The names in a file; rows that cannot be read go to `warnings`."""
    file = File(path, text.removeprefix("\ufeff"))
    rows = _csv(file, warnings) if path.endswith(".csv") else _plain(file)
    terms: list[Term] = []
    seen: set[str] = set()
    for line, names in rows:
        for entry in names:
            bad = UNPRINTABLE.search(entry)
            if bad:
                message = f"control character U+{ord(bad[0]):04X}; this row is left out"
                warnings.append(file.fault(line, 1, message))
                continue
            entry = " ".join(entry.split())
            if not entry or entry in seen:
                continue
            seen.add(entry)
            form = name(entry)
            if isinstance(form, TermFault):
                warnings.append(file.fault(line, 1, f"{form.message}; this row is left out"))
                continue
            terms.append(Term(text=entry, name=True, line=line, column=1))
        if len(terms) > MAX_NAMES:
            break
    if not terms:
        warnings.append(Fault(path, 0, 0, "holds no name"))
    return Watchlist(path, tuple(terms[: MAX_NAMES + 1]))


def _plain(file: File) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(file.lines, 1):
        if not line.lstrip().startswith("#"):
            yield number, [line]


def _csv(file: File, warnings: list[Fault]) -> Iterator[tuple[int, list[str]]]:
    lines = file.lines
    delimiter = max(_DELIMITERS, key=lines[0].count)
    header = [cell.strip().lower() for cell in _cells(lines[0], delimiter) or []]
    if "name" not in header:
        if file.text:
            warnings.append(file.fault(1, 1, "the first line has no column 'name'; no row is read"))
        return
    at, aliases = header.index("name"), header.index("aliases") if "aliases" in header else None
    after = 1
    while after < len(lines):
        number = after + 1
        cells, after = _row(lines, after, delimiter, len(header))
        if cells == [""]:
            continue
        if cells is None:
            warnings.append(file.fault(number, 1, "the quotes of this row do not pair; it is left out"))
        elif len(cells) != len(header):
            message = f"{len(cells)} columns where the header has {len(header)}; this row is left out"
            warnings.append(file.fault(number, 1, message))
        elif not cells[at].strip():
            warnings.append(file.fault(number, 1, "no name; this row is left out"))
        else:
            yield number, [cells[at], *(cells[aliases].split("|") if aliases is not None else ())]


def _row(lines: list[str], at: int, delimiter: str, columns: int) -> tuple[list[str] | None, int]:
    """The cells of the row that begins in a line, None where its quotes do not pair, and the line after it."""
    if not lines[at].strip():
        return [""], at + 1
    cells = _cells(lines[at], delimiter)
    if cells is not None:
        return cells, at + 1
    for end in range(at + 2, min(at + MAX_ROW_LINES, len(lines)) + 1):  # a cell in quotes may go on in the next line
        if '"' in lines[end - 1]:
            cells = _cells("\n".join(lines[at:end]), delimiter)
            if cells is not None and len(cells) == columns:
                return cells, end
    return None, at + 1


def _cells(line: str, delimiter: str) -> list[str] | None:
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
