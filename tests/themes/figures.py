"""How well the shipped themes find what they claim, written into docs/themes.md.

    python -m tests.themes.figures LABELLED.jsonl     # the measured set; not part of this repository
    python -m tests.themes.figures                    # our own texts alone

LABELLED holds one object a line: `id`, `title`, `text`, `lang`, `kind`, `why` and `labels`, a theme to true, false or
"borderline". Borderline labels are left out. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from monitor.matching.engine import Engine, compile_book
from monitor.matching.model import Document
from monitor.rulebook.themes import load_rules, read_rule_files

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "themes.md"
OWN = Path(__file__).with_name("texts.jsonl")
FEW = 5  # a language with fewer positives has its misses named


class Text(NamedTuple):
    """One labelled text. `labels`: theme -> true | false | "borderline"."""

    id: str
    title: str
    text: str
    lang: str
    kind: str
    why: str
    labels: dict[str, bool | str]


class Score(NamedTuple):
    """Which texts a theme was right and wrong about."""

    hits: tuple[Text, ...]
    wrongly_flagged: tuple[Text, ...]
    missed: tuple[Text, ...]
    rightly_left: tuple[Text, ...]
    borderline: int

    @property
    def precision(self) -> tuple[int, int]:
        return len(self.hits), len(self.hits) + len(self.wrongly_flagged)

    @property
    def recall(self) -> tuple[int, int]:
        return len(self.hits), len(self.hits) + len(self.missed)


@cache
def engine() -> Engine:
    """The shipped rules, compiled."""
    files, faults = read_rule_files(ROOT / "rules")
    book, found = load_rules(files)
    assert book and not faults and not found, [str(fault) for fault in faults + found]
    return compile_book(book)


def read(path: Path) -> list[Text]:
    """The labelled texts of a file."""
    return [_text(json.loads(line)) for line in path.read_text("utf-8").splitlines() if line.strip()]


def _text(item: dict[str, Any]) -> Text:
    return Text(
        item["id"], item.get("title") or "", item["text"], item["lang"], item.get("kind", ""), item.get("why", ""),
        item["labels"],
    )  # fmt: skip


@cache
def flagged(text: str, title: str, lang: str) -> frozenset[str]:
    """The themes that a text meets."""
    document = Document(title=title, text=text, language=lang)
    return frozenset(match.theme for match in engine().match(document, strict=False))


def score(texts: Iterable[Text], theme: str) -> Score:
    """A theme's answers against the labels."""
    cells: dict[tuple[bool, bool], list[Text]] = {(said, true): [] for said in (True, False) for true in (True, False)}
    borderline = 0
    for text in texts:
        label = text.labels[theme]
        if isinstance(label, str):
            borderline += 1
        else:
            cells[theme in flagged(text.text, text.title, text.lang), label].append(text)
    return Score(
        tuple(cells[True, True]), tuple(cells[True, False]), tuple(cells[False, True]), tuple(cells[False, False]),
        borderline,
    )  # fmt: skip


def wilson(part: int, whole: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of a share. An empty whole says nothing: 0 to 1."""
    if not whole:
        return 0.0, 1.0
    share = part / whole
    centre = share + z * z / (2 * whole)
    spread = z * math.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole))
    scale = 1 + z * z / whole
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def half(text: Text) -> str:
    """`A` or `B`, by the hash of the id: nobody's choice."""
    return "AB"[int(hashlib.sha256(text.id.encode()).hexdigest(), 16) % 2]


# --- the page


def _share(part: int, whole: int) -> str:
    if not whole:
        return "none to find"
    low, high = wilson(part, whole)
    return f"{part / whole:.3f} ({low:.2f}–{high:.2f})"


def _table(rows: Iterable[tuple[str, Score]]) -> Iterator[str]:
    yield "| | true, flagged | false, flagged | true, missed | false, left | borderline | precision | recall |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, found in rows:
        yield (
            f"| {name} | {len(found.hits)} | {len(found.wrongly_flagged)} | {len(found.missed)} "
            f"| {len(found.rightly_left)} | {found.borderline} | {_share(*found.precision)} | {_share(*found.recall)} |"
        )


def _named(title: str, texts: Iterable[Text]) -> str:
    found = [f"`{text.id}` ({text.lang}{': ' + text.why if text.why else ''})" for text in texts]
    return f"- {title}: {'; '.join(found) or 'none'}."


def measured(texts: list[Text]) -> str:
    """The figures of the measured set."""
    themes = list(texts[0].labels)
    scores = {theme: score(texts, theme) for theme in themes}
    lines = [f"{len(texts)} texts, {len({text.lang for text in texts})} languages.", ""]
    lines += _table((f"`{theme}`", found) for theme, found in scores.items())
    lines += ["", "By halves (hash of the id):", ""]
    lines += _table(
        (f"`{theme}`, half {name}", score([text for text in texts if half(text) == name], theme))
        for theme in themes
        for name in "AB"
    )
    lines.append("")
    for theme, found in scores.items():
        lines.append(_named(f"`{theme}`, missed", found.missed))
        lines.append(_named(f"`{theme}`, wrongly flagged", found.wrongly_flagged))
        rare = [text for text in found.missed if _positives(texts, theme, text.lang) < FEW]
        lines.append(_named(f"`{theme}`, missed in a language with fewer than {FEW} positives", rare))
    ordinary = [text for text in texts if text.kind == "N2" and flagged(text.text, text.title, text.lang)]
    lines.append(_named("Ordinary pages (N2) that any theme flags", ordinary))
    return "\n".join(lines)


def _positives(texts: Iterable[Text], theme: str, lang: str) -> int:
    return sum(1 for text in texts if text.lang == lang and text.labels[theme] is True)


def own(texts: list[Text]) -> str:
    """The figures of our own texts."""
    lines = [f"{len(texts)} texts, {len({text.lang for text in texts})} languages.", ""]
    lines += _table((f"`{theme}`", score(texts, theme)) for theme in texts[0].labels)
    lines.append("")
    for theme in texts[0].labels:
        found = score(texts, theme)
        lines.append(_named(f"`{theme}`, missed", found.missed))
        lines.append(_named(f"`{theme}`, wrongly flagged", found.wrongly_flagged))
    return "\n".join(lines)


def put(page: str, name: str, figures: str) -> str:
    """The page with the figures between the marks of that name."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    assert len(pattern.findall(page)) == 1, f"docs/themes.md has no place for {name}"
    return pattern.sub(lambda _: f"{begin}\n\n{figures}\n\n{end}", page)


def main(words: list[str]) -> None:
    page = PAGE.read_text("utf-8")
    parts: list[tuple[str, Callable[[list[Text]], str], Path]] = [("own figures", own, OWN)]
    if words:
        parts.append(("measured figures", measured, Path(words[0])))
    for name, figures, path in parts:
        page = put(page, name, figures(read(path)))
    PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
