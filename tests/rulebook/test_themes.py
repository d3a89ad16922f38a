"""Rule files to a book: names, vocabularies, watch-lists, what is left out and what is refused."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from monitor.errors import Fault
from monitor.matching.book import RuleBook
from monitor.matching.model import Mode, Severity
from monitor.rulebook import themes
from monitor.rulebook.nodes import MAX_FAULTS
from monitor.rulebook.themes import load_rules, read_rule_files, revision_of

PLACES = "concepts:\n  china: [China]\n  russia: [Russia]\n"
THEME = """\
theme: trade
title: Trade
use: [places]
rules:
  - {id: both, when: china w/s russia}
"""


def load(files: dict[str, str]) -> RuleBook:
    book, faults = load_rules(files)
    assert book is not None, [str(fault) for fault in faults]
    assert faults == []
    return book


def faults_of(files: dict[str, str]) -> list[str]:
    book, faults = load_rules(files)
    assert book is None
    return [str(fault) for fault in faults]


def test_a_theme_is_read_whole() -> None:
    book = load(
        {
            "concepts/places.yaml": PLACES,
            "watchlists/firms.txt": "Foo Trading\n",
            "themes/trade.yaml": """\
theme: trade
title: "China: trade"
owner: desk
contact: room 12
severity: high
mode: shadow
tags: [a, b]
use: [places]
close_after: 3d
near_misses: off
receipt: off
rematch: 0
concepts:
  goods:
    terms: [chip*, 8471.50, no]
    ru: [микросхем*]
    include: [places.china]
    except: [chipmunk]
  firms: {list: watchlists/firms.txt}
rules:
  - id: goods
    when: china and goods
    unless: title:("football")
    severity: critical
    where: {languages: [en, zh], tags: [official], max_age: 14d, min_words: 20, domains: [.Example.org]}
    anchor: goods
correlate:
  - {id: surge, count: stories, at_least: 5, within: 24h, severity: high}
  - {id: new, first_seen: firms}
examples:
  match: [China sells chips]
  no_match:
    - {text: "China sells rice", lang: en, near_miss: true}
""",
        }
    )
    theme = book.themes[0]
    assert (theme.title, theme.owner, theme.contact) == ("China: trade", "desk", "room 12")
    assert (theme.severity, theme.mode, theme.tags) == (Severity.HIGH, Mode.SHADOW, ("a", "b"))
    assert (theme.close_after, theme.near_misses, theme.receipt, theme.rematch) == (3 * 86400, None, False, 0)
    rule = theme.rules[0]
    assert (rule.when, rule.unless, rule.severity, rule.anchor) == (
        "china and goods", 'title:("football")', Severity.CRITICAL, "goods",
    )  # fmt: skip
    assert rule.where.languages == ("en", "zh") and rule.where.max_age == 14 * 86400
    assert rule.where.domains == ("example.org",) and rule.where.min_words == 20
    goods = book.concepts[theme.scope["goods"]]
    assert [(term.text, term.language) for term in goods.terms] == [
        ("chip*", None), ("8471.50", None), ("no", None), ("микросхем*", "ru"),
    ]  # fmt: skip
    assert goods.include == ("places.china",) and [term.text for term in goods.exceptions] == ["chipmunk"]
    assert [(found.kind, found.of, found.at_least, found.within) for found in theme.correlations] == [
        ("count", "stories", 5, 86400), ("first_seen", "firms", None, None),
    ]  # fmt: skip
    assert [(found.text, found.expected, found.near_miss) for found in theme.examples] == [
        ("China sells chips", True, False), ("China sells rice", False, True),
    ]  # fmt: skip


def test_shared_concepts_go_by_bare_and_by_full_name() -> None:
    theme = THEME.replace("china w/s russia", "places.china and russia")
    book = load({"concepts/places.yaml": PLACES, "themes/trade.yaml": theme})
    assert book.themes[0].scope["places.china"] == "places.china"
    assert book.themes[0].scope["russia"] == "places.russia"


def test_full_name_needs_no_use() -> None:
    theme = "theme: t\ntitle: T\nrules:\n  - {id: a, when: places.china}\n"
    assert load({"concepts/places.yaml": PLACES, "themes/t.yaml": theme}).themes[0].scope == {
        "places.china": "places.china"
    }


def test_name_known_in_a_vocabulary_that_is_not_used_is_pointed_to() -> None:
    theme = "theme: t\ntitle: T\nrules:\n  - {id: a, when: china}\n"
    assert faults_of({"concepts/places.yaml": PLACES, "themes/t.yaml": theme}) == [
        "rules/themes/t.yaml:4:19: unknown concept 'china'; did you mean 'places.china'?"
    ]


def test_two_vocabularies_of_one_name_are_a_fault() -> None:
    files = {"concepts/places.yaml": PLACES, "concepts/places.yml": PLACES, "themes/trade.yaml": THEME}
    assert faults_of(files) == ["rules/concepts/places.yml: there is places.yaml too; remove one of them"]


def test_faults_of_all_files_are_reported_at_once() -> None:
    found = faults_of(
        {"concepts/places.yaml": "concepts:\n\tchina: [x]\n", "themes/a.yaml": "theme: A\n", "themes/b.yaml": ""}
    )
    assert {line.split(":")[0] for line in found} == {
        "rules/concepts/places.yaml", "rules/themes/a.yaml", "rules/themes/b.yaml",
    }  # fmt: skip


def test_receivers_and_other_files_are_none_of_the_loaders_business() -> None:
    files = {"concepts/places.yaml": PLACES, "themes/trade.yaml": THEME}
    assert load(files | {"receivers.yaml": "}", "README.md": "@"}).revision == load(files).revision


def test_revision_hangs_on_paths_and_texts() -> None:
    files = {"concepts/places.yaml": PLACES, "themes/trade.yaml": THEME}
    moved = {"concepts/place.yaml": PLACES, "themes/trade.yaml": THEME}
    assert len({revision_of(files), revision_of(moved), revision_of(files | {"themes/trade.yaml": THEME + "\n"})}) == 3
    assert revision_of(dict(reversed(files.items()))) == revision_of(files)


# --- watch-lists

FIRMS = "theme: t\ntitle: T\nconcepts:\n  firms: {list: watchlists/firms.csv}\nrules:\n  - {id: a, when: firms}\n"


def names(text: str, file: str = "firms.csv") -> tuple[list[str], tuple[Fault, ...]]:
    theme = FIRMS.replace("firms.csv", file)
    book = load({"themes/t.yaml": theme, f"watchlists/{file}": text})
    return [term.text for term in book.concepts["t:firms"].terms], book.warnings


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_list_with_aliases_and_any_delimiter(delimiter: str) -> None:
    rows = [["id", "name", "aliases"], ["1", '"Foo, Trading Ltd"', "Foo Intl|富"], ["2", "Bar Optics", ""]]
    found, warnings = names("\ufeff" + "\r\n".join(delimiter.join(row) for row in rows) + "\r\n")
    assert found == ["Foo, Trading Ltd", "Foo Intl", "富", "Bar Optics"]
    assert warnings == ()


def test_plain_list_takes_every_line_but_comments() -> None:
    found, _ = names("# from the register\nFoo Trading\n\nBar, Optics; Ltd\nFoo Trading\n", "firms.txt")
    assert found == ["Foo Trading", "Bar, Optics; Ltd"]


def test_broken_rows_are_named_and_the_others_load() -> None:
    text = 'name,id\nFoo Trading,1\n"Bar Optics,2\nBaz Chips\n,4\n"Qux" Ltd,5\n--,6\nLast Firm,7\n'
    found, warnings = names(text)
    assert found == ["Foo Trading", "Last Firm"]
    assert [str(warning) for warning in warnings] == [
        "rules/watchlists/firms.csv:3:1: the quotes of this row do not pair; it is left out",
        "rules/watchlists/firms.csv:4:1: 1 columns where the header has 2; this row is left out",
        "rules/watchlists/firms.csv:5:1: no name; this row is left out",
        "rules/watchlists/firms.csv:6:1: the quotes of this row do not pair; it is left out",
        "rules/watchlists/firms.csv:7:1: '--' has no letter or digit to look for; this row is left out",
    ]


def test_cell_in_quotes_may_go_on_in_the_next_lines() -> None:
    found, warnings = names('name,city\n"Foo\nTrading","12 Road,\n""Old"" Town"\nBar Optics,"x"\n"Baz,1\nQux Ltd,2\n')
    assert found == ["Foo Trading", "Bar Optics", "Qux Ltd"]
    assert [str(warning) for warning in warnings] == [
        "rules/watchlists/firms.csv:6:1: the quotes of this row do not pair; it is left out"
    ]


@pytest.mark.parametrize("file", ["firms.csv", "firms.txt"])
def test_control_character_in_a_list_breaks_its_row(file: str) -> None:
    found, warnings = names("name\nalpha\0beta\nFoo Trading\n", file)
    assert found[-1] == "Foo Trading" and not any("\0" in one for one in found)
    assert [str(warning) for warning in warnings] == [
        f"rules/watchlists/{file}:2:1: control character U+0000; this row is left out"
    ]


def test_lines_of_a_list_are_counted_as_faults_count_them() -> None:
    found, warnings = names("  # comment\nFoo\x0cTrading\n--\r\nBar Optics\r--\n", "firms.txt")
    assert found == ["Bar Optics"]
    assert [(warning.line, warning.message.partition(";")[0]) for warning in warnings] == [
        (2, "control character U+000C"),
        (3, "'--' has no letter or digit to look for"),
    ]


def test_of_many_faults_of_a_file_their_number_is_said() -> None:
    found, warnings = names("Foo Trading\n" + "".join(f"-{'-' * number}\n" for number in range(150)), "firms.txt")
    assert found == ["Foo Trading"]
    assert len(warnings) == MAX_FAULTS + 1
    assert str(warnings[0]) == "rules/watchlists/firms.txt: 150 faults; 100 are listed"
    theme = THEME + "".join(f"key{number}: x\n" for number in range(1000))
    wrong = faults_of({"concepts/places.yaml": PLACES, "themes/trade.yaml": theme})
    assert len(wrong) == MAX_FAULTS + 1 and wrong[0] == "rules/themes/trade.yaml: 1,000 faults; 100 are listed"


def test_names_of_all_lists_together_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(themes, "MAX_NAMES", 3)
    lists = {"watchlists/firms.csv": "name\na1\nb2\n", "watchlists/more.txt": "c3\n"}
    assert load({"themes/t.yaml": FIRMS, **lists}).concepts["t:firms"].terms
    assert faults_of({"themes/t.yaml": FIRMS, **lists, "watchlists/one.txt": "d4\n"}) == [
        "rules/watchlists/one.txt: more than 3 names in watch-lists; so many are read"
    ]


def test_list_without_a_name_column_leaves_its_concept_empty() -> None:
    found = faults_of({"themes/t.yaml": FIRMS, "watchlists/firms.csv": "firm,id\nFoo,1\n"})
    assert found == [
        "rules/themes/t.yaml:4:17: concept 'firms' is empty: rules/watchlists/firms.csv holds no name",
        "rules/watchlists/firms.csv: holds no name",
        "rules/watchlists/firms.csv:1:1: the first line has no column 'name'; no row is read",
    ]


def test_one_bad_term_among_a_hundred_thousand_is_found() -> None:
    terms = "".join(f"    - firm{number}\n" for number in range(100_000)) + "    - '*'\n"
    theme = "theme: t\ntitle: T\nrules:\n  - {id: a, when: firms}\nconcepts:\n  firms:\n" + terms
    assert faults_of({"themes/t.yaml": theme}) == [
        "rules/themes/t.yaml:100007:8: '*' has no letter or digit to look for"
    ]


# --- reading folders


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    for name, text in {"concepts/places.yaml": PLACES, "themes/trade.yaml": THEME}.items():
        path = tmp_path / "rules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "rules"


def test_folder_is_read_by_path_within_it(rules: Path) -> None:
    (rules / "themes" / ".trade.yaml.swp").write_text("x")
    (rules / "themes" / "notes.md").write_text("x")
    (rules / "receivers.yaml").write_text("x")
    (rules / ".schema").mkdir()
    (rules / ".schema" / "theme.json").write_text("{}")
    (rules / ".schema" / "theme.yaml").write_text("{}")
    files, faults = read_rule_files(rules)
    assert faults == []
    assert files == {"concepts/places.yaml": PLACES, "themes/trade.yaml": THEME}


def test_no_rules_folder_is_said(tmp_path: Path) -> None:
    files, faults = read_rule_files(tmp_path / "rules")
    assert files == {}
    assert [str(fault) for fault in faults] == ["rules/: there is no such folder; `monitor init` makes one"]


@pytest.mark.parametrize(
    "astray",
    ["sanctions.yaml", "themes/sub/u.yaml", "concept/x.yml", "themes/v.YAML", "watchlists/w.yaml", "receivers.yml"],
)
def test_file_in_the_wrong_place_is_named(rules: Path, astray: str) -> None:
    (rules / astray).parent.mkdir(exist_ok=True)
    (rules / astray).write_text(THEME)
    _, faults = read_rule_files(rules)
    assert [str(fault) for fault in faults] == [
        f"rules/{astray}: nothing reads a file of this name; "
        f"wanted: themes/<name>.yaml, concepts/<name>.yaml or receivers.yaml"
    ]


def test_text_that_is_not_utf8_is_named_and_the_others_are_read(rules: Path) -> None:
    (rules / "themes" / "old.yaml").write_bytes("theme: old\ntitle: Über\n".encode("latin-1"))
    files, faults = read_rule_files(rules)
    assert sorted(files) == ["concepts/places.yaml", "themes/trade.yaml"]
    assert [str(fault) for fault in faults] == [
        "rules/themes/old.yaml:2:1: not UTF-8 (byte 19); save the file as UTF-8"
    ]


@pytest.mark.timeout(20)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_among_the_files_holds_nobody(rules: Path) -> None:
    os.mkfifo(rules / "themes" / "pipe.yaml")
    files, faults = read_rule_files(rules)
    assert sorted(files) == ["concepts/places.yaml", "themes/trade.yaml"]
    assert [str(fault) for fault in faults] == ["rules/themes/pipe.yaml: not a file; it is not read"]


def test_file_of_fifty_megabytes_is_refused_unread(rules: Path) -> None:
    with (rules / "themes" / "big.yaml").open("wb") as file:
        file.truncate(50_000_000)
    files, faults = read_rule_files(rules)
    assert "themes/big.yaml" not in files
    assert [str(fault) for fault in faults] == ["rules/themes/big.yaml: 50,000,000 bytes; at most 32,000,000 are read"]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are another thing there")
def test_unreadable_file_is_named(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(themes.Path, "read_bytes", refuse)  # root may read everything
    files, faults = read_rule_files(rules)
    assert files == {}
    assert [str(fault) for fault in faults] == [
        "rules/concepts/places.yaml: cannot be read: Permission denied",
        "rules/themes/trade.yaml: cannot be read: Permission denied",
    ]
