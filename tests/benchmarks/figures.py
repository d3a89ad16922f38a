"""Figures beside their peers, measured in the same run, and the pages they are printed on.

`python -m tests.benchmarks.figures [NAME …]` runs the modules beside this file that have a `SECTION` and `figures()`
(all, or those named, as in `store`) and rewrites their sections of `docs/benchmarks.md`.

A machine that others share is never quiet, so what counts is a ratio: contestants take turns in each round, a ratio is
taken in each round, and the median of the ratios is the figure.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import sqlite3
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROUNDS = 5
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_PREAMBLE = """# Benchmarks

Made by `python -m tests.benchmarks.figures`; each section by its own run. A peer ran in the same run, in turns, on the
same file system; ratios are medians over the rounds, rates are medians too and say little beyond this machine.
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: what was measured, what we did, what the peer did, and the ratio with the least that we promise.

    `ratio` is ours ÷ peer, more is better; None where there is no peer. `holds`: None where nothing is promised.
    """

    what: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    promised: str = ""
    holds: bool | None = None


def rates(work: int, contestants: Mapping[str, Callable[[], float]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """`work` per second of each contestant in each round; a contestant returns the seconds that it took."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            found[name].append(work / run())
    return found


def compared(
    what: str, found: Mapping[str, list[float]], ours: str, peer: str, promised: float | None = None
) -> Figure:
    """The figure of two contestants of one run of `rates`, in events a second."""
    ratio = median(mine / theirs for mine, theirs in zip(found[ours], found[peer], strict=True))
    return Figure(
        what, f"{median(found[ours]):,.0f} events/s", f"{peer}: {median(found[peer]):,.0f} events/s", ratio,
        "" if promised is None else f"≥ {promised}×", None if promised is None else ratio >= promised,
    )  # fmt: skip


def table(figures: Iterable[Figure]) -> str:
    """The figures in Markdown."""
    marks = {True: "holds", False: "**does not hold**", None: ""}
    lines = ["| | ours | peer | ratio | promised | |", "|---|---|---|---|---|---|"]
    for one in figures:
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}×"
        lines.append(f"| {one.what} | {one.ours} | {one.peer} | {ratio} | {one.promised} | {marks[one.holds]} |")
    return "\n".join(lines)


def machine() -> str:
    """What decides the rates, and nothing that tells whose machine it is."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"


def write(name: str, text: str) -> None:
    """Replace or add one section of the page."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else _PREAMBLE
    block = f"{begin}\n{text.strip()}\n{end}"
    if begin in page:
        page = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, page, flags=re.DOTALL)
    else:
        page = f"{page.rstrip()}\n\n{block}\n"
    PAGE.write_text(page, encoding="utf-8")


def main(names: list[str]) -> None:
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        name = path.stem.removeprefix("test_")
        module = importlib.import_module(f"tests.benchmarks.{path.stem}")
        if hasattr(module, "SECTION") and (not names or any(name.startswith(one) for one in names)):
            text = f"## {module.SECTION}\n\n{machine()}{getattr(module, 'BESIDE', '')}.\n\n{table(module.figures())}"
            write(name, text + getattr(module, "NOTES", ""))
            print(text, "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
