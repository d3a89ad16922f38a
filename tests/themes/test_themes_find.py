"""The shipped themes against our own texts, and the page that tells how well they do."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.themes import figures

ROOT = Path(__file__).parents[2]
TEXTS = figures.read(figures.OWN)

# What the themes get wrong and why nobody has mended it. A text that turns out right leaves this list.
KNOWN = {
    ("third-013", "china-russia-dual-use"): "'parts for missiles no longer cross the Amur': said by allusion",
    ("third-061", "china-russia-dual-use"): "asked not to deliver arms: whole weapons",
    ("fourth-012", "china-russia-dual-use"): "Russia is not named",
    ("fourth-035", "china-russia-dual-use"): "Russia is not named",
    ("fourth-039", "china-russia-dual-use"): "Russia is not named",
    ("fifth-028", "china-russia-dual-use"): "a fraud with Chinese drones at the Russian ministry",
    ("fifth-044", "iran-dprk-arms-to-russia"): "goods for Tehran and Moscow: two buyers in one breath",
    ("fifth-051", "china-russia-dual-use"): "farm drones at a fair in Moscow",
    ("sixth-014", "sanctions-export-controls"): "Chinese export permits as background",
}


@pytest.mark.parametrize("theme", sorted(TEXTS[0].labels))
def test_each_text_is_judged_as_labelled_but_for_the_known_ones(theme: str) -> None:
    found = figures.score(TEXTS, theme)
    wrong = {(text.id, theme) for text in found.missed + found.wrongly_flagged}
    assert wrong == {key for key in KNOWN if key[1] == theme}


def test_ids_are_unique() -> None:
    assert len({text.id for text in TEXTS}) == len(TEXTS)


def test_the_page_holds_the_figures_of_these_rules() -> None:
    page = figures.PAGE.read_text("utf-8")
    assert figures.put(page, "own figures", figures.own(TEXTS)) == page, "python -m tests.themes.figures makes it anew"


def test_the_seed_document_is_flagged_with_readable_evidence() -> None:
    seed = (ROOT / "seeds" / "documents" / "blinken-china-russia-military-complex.txt").read_text("utf-8")
    title, _, text = seed.partition("\n")
    document = figures.Document(title=title, text=text.strip(), language="en")
    [match] = [found for found in figures.engine().match(document) if found.theme == "china-russia-dual-use"]
    words = {hit.text for rule in match.rules for hit in rule.evidence}
    assert {"China", "Russia", "machine tools", "semiconductors"} <= words


def test_each_watched_firm_has_its_source() -> None:
    with (ROOT / "rules" / "watchlists" / "china-suppliers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 30
    assert all(row["name"] and row["source"] and row["checked"] for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)


def test_wilson_interval_of_all_and_of_none() -> None:
    assert figures.wilson(50, 50) == pytest.approx((0.9287, 1.0), abs=1e-4)
    assert figures.wilson(0, 0) == (0.0, 1.0)
