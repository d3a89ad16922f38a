"""`monitor explain`: each clause true or false, with words and places; for matches and non-matches alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rich.cells import cell_len

from tests.acceptance.harness import Workspace

THEME = """\
theme: ports
title: Ports
concepts:
  port:
    terms: [harbour, "quay*"]
    zh: [港口]
  machine:
    terms: [crane, "hoist*"]
rules:
  - {id: near, when: (port w/5 machine) and ("fell" or port)}
  - {id: news, when: port and machine and "ship", unless: 'title:("football")'}
  - {id: long, when: machine w/s "fell", where: {min_words: 1000}}
  - {id: count, when: atleast3(machine) and not "ship"}
"""
OTHER = """\
theme: other
title: Other
rules:
  - {id: only, when: '"nothing of this"'}
"""
TEXTS = {
    "fallen.txt": "A crane fell\n\nAt the harbour a crane fell on two quays. 港口\n",
    "football.txt": "Football at sea\n\nA ship, a crane, and in another sentence far away from it all a harbour.\n",
    "cranes.txt": "Crane, crane\n\n" + " ".join(f"Crane {number}." for number in range(9)) + "\n",
    "odd.txt": "Odd\x1b[31m crane\n\n" + "crane harbour " * 3 + "\u202e \n",
}


WORDS = ("harbour", "quays", "crane", "fell", "港口")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A working directory whose texts were read and matched."""
    work = Workspace(tmp_path_factory.mktemp("explain") / "home", COLUMNS="80")
    work.write("rules/themes/ports.yaml", THEME)
    work.write("rules/themes/other.yaml", OTHER)
    for name, text in TEXTS.items():
        work.write(f"seeds/documents/{name}", text)
    work.once()
    yield work


@pytest.fixture(scope="module")
def entry(desk: Workspace) -> Callable[[str], str]:
    """The id of the entry that was read from a file."""
    ids = {row["title"]: row["entry_id"] for row in desk.list("entries", "--full")}
    starts = {name: text[:3] for name, text in TEXTS.items()}
    return lambda name: next(found for title, found in ids.items() if title.startswith(starts[name]))


def rule(desk: Workspace, entry_id: str, name: str) -> dict[str, Any]:
    [row] = desk.look("explain", entry_id, "--theme", "ports", "--json").rows
    [found] = [one for one in row["theme"]["rules"] if one["rule"] == name]
    return found


def block(out: str, name: str) -> list[str]:
    """The lines about one rule, without the indent they all have."""
    lines = out.partition(f"\n  rule {name} ")[2].partition("\n\n")[0].splitlines()
    return [line.removeprefix("    ") for line in lines[1:]]


def test_a_match_names_rule_book_clauses_words_and_places(desk: Workspace, entry: Callable[[str], str]) -> None:
    done = desk.look("explain", entry("fallen.txt"), "--theme", "ports")
    assert done.code == 0
    head = done.out.splitlines()
    assert head[0] == f"entry {entry('fallen.txt')}, revision 1: A crane fell"
    assert head[1] == f"rule book {desk.status()['rules_revision']}"
    assert head[3:6] == ["theme ports: matched", "", "  rule near (medium): matched"]
    [row] = [row for row in desk.list("entries", "--full") if row["entry_id"] == entry("fallen.txt")]
    places = {word: f"text {row['text'].index(word)}–{row['text'].index(word) + len(word)}" for word in WORDS}
    assert block(done.out, "near") == [
        '✓ (port w/5 machine) and ("fell" or port)',
        "  ✓ port w/5 machine",
        f"    ✓ port “harbour” {places['harbour']}, “quays” {places['quays']} (quay*),",
        f"        “港口” {places['港口']}",
        f"    ✓ machine “crane” {places['crane']}",
        '  ✓ "fell" or port',
        f'    ✓ "fell" “fell” title 8–12, “fell” {places["fell"]}',
        "    ✓ port (as above)",
    ]


def test_an_alert_is_explained_by_its_theme_alone(desk: Workspace) -> None:
    alert = next(row for row in desk.list("alerts") if row["title"] == "A crane fell")
    done = desk.look("explain", alert["alert_id"])
    assert done.code == 0
    assert "theme ports: matched" in done.out
    assert "theme other" not in done.out
    assert done.out.index("rule near") < done.out.index("rule news")


def test_an_entry_is_explained_by_every_theme(desk: Workspace, entry: Callable[[str], str]) -> None:
    rows = desk.look("explain", entry("fallen.txt"), "--json").rows
    assert {(row["theme"]["theme"], row["theme"]["matched"]) for row in rows} == {("ports", True), ("other", False)}
    assert {row["entry_id"] for row in rows} == {entry("fallen.txt")}
    assert {row["book"] for row in rows} == {desk.status()["rules_revision"]}


def test_what_did_not_match_names_the_clauses_that_failed(desk: Workspace, entry: Callable[[str], str]) -> None:
    found = rule(desk, entry("fallen.txt"), "news")
    assert (found["matched"], found["near_miss"]) == (False, 'only "ship" failed')
    assert [(part["text"], part["true"]) for part in found["when"]["clauses"]] == [
        ("port", True), ("machine", True), ('"ship"', False),
    ]  # fmt: skip
    out = desk.look("explain", entry("fallen.txt"), "--theme", "ports").out
    assert '  rule news (medium): not matched\n    near miss: only "ship" failed\n' in out
    assert '  ✗ "ship"' in block(out, "news")
    assert 'not stopped by unless: title:("football")' in block(out, "news")


def test_what_unless_took_away_says_so_with_its_words(desk: Workspace, entry: Callable[[str], str]) -> None:
    found = rule(desk, entry("football.txt"), "news")
    assert (found["matched"], found["when"]["true"], found["unless"]["true"]) == (False, True, True)
    assert found["near_miss"] == "stopped by unless: Football"
    lines = block(desk.look("explain", entry("football.txt"), "--theme", "ports").out, "news")
    assert lines[0] == "near miss: stopped by unless: Football"
    assert lines[-3:] == ["stopped by unless:", '  ✓ title:("football")', '    ✓ "football" “Football” title 0–8']


def test_what_where_took_away_says_so(desk: Workspace, entry: Callable[[str], str]) -> None:
    found = rule(desk, entry("fallen.txt"), "long")
    assert (found["matched"], found["when"]["true"]) == (False, True)
    assert found["near_miss"] == f"where: {found['where']}"
    assert found["where"] == "13 words; at least 1000"
    lines = block(desk.look("explain", entry("fallen.txt"), "--theme", "ports").out, "long")
    assert " ".join(" ".join(lines).split()).endswith(f"stopped by where: {found['where']}")


def test_a_proximity_whose_parts_are_all_there_is_a_near_miss(desk: Workspace, entry: Callable[[str], str]) -> None:
    found = rule(desk, entry("football.txt"), "near")
    assert (found["matched"], found["near_miss"]) == (False, "only port w/5 machine failed")
    lines = block(desk.look("explain", entry("football.txt"), "--theme", "ports").out, "near")
    assert lines[2] == "  ✗ port w/5 machine"
    assert lines[3].startswith("    ✓ port “harbour” text ")
    assert lines[4].startswith("    ✓ machine “crane” text ")


def test_many_words_are_counted(desk: Workspace, entry: Callable[[str], str]) -> None:
    lines = block(desk.look("explain", entry("cranes.txt"), "--theme", "ports").out, "count")
    assert lines[0] == '✓ atleast3(machine) and not "ship"'
    assert lines[1] == "  ✓ atleast3(machine)"
    assert any(line.endswith("+5 more") for line in lines)
    assert lines[-2:] == ['  ✓ not "ship"', '    ✗ "ship"']


def test_it_fits_80_columns_and_drives_no_terminal(desk: Workspace, entry: Callable[[str], str]) -> None:
    for name in TEXTS:
        out = desk.look("explain", entry(name)).out
        assert max(map(cell_len, out.splitlines())) <= 80
        assert not any(sign in out for sign in "\x1b\u202e")


def test_by_the_rules_of_then_or_of_now(desk: Workspace, entry: Callable[[str], str]) -> None:
    then = desk.look("explain", entry("fallen.txt"), "--theme", "ports", "--json").rows[0]
    now = desk.look("explain", entry("fallen.txt"), "--theme", "ports", "--now", "--json").rows[0]
    assert then == now
    assert "(in force now)" in desk.look("explain", entry("fallen.txt"), "--now").out


def test_an_alert_is_explained_by_the_revision_and_the_book_that_raised_it(work: Workspace) -> None:
    work.sources(folder=True)
    for number, text in enumerate(("machine tools for Russia", "machine tools for Russia and more", "of nothing"), 1):
        work.write("seeds/documents/one.txt", f"Trade, {number}\n\n{text}\n")
        assert work.look("run", "--once").code == 0
    then = work.status()["rules_revision"]
    work.theme(when='"nothing of this"')
    assert work.look("run", "--once").code == 0
    [alert] = work.list("alerts")
    [entry_id] = alert["entry_ids"]
    done = work.look("explain", alert["alert_id"])
    assert done.out.splitlines()[:5] == [
        f"entry {entry_id}, revision 2: Trade, 2",
        f"rule book {then}",
        "the alert rests on this revision; there is a newer one, 3:",
        f"    `monitor explain {entry_id}`",
        "",
    ]
    assert '✓ "machine tools" and "Russia"' in done.out
    [row] = work.look("explain", alert["alert_id"], "--json").rows
    assert (row["revision"], row["latest_revision"], row["book"]) == (2, 3, then)
    assert "revision 3: Trade, 3" in work.look("explain", entry_id).out
    assert "theme machines: not matched" in work.look("explain", alert["alert_id"], "--now").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ent-0000",), "no alert or entry has the id 'ent-0000'"),
        (("{entry}", "--theme", "prots"), "has no theme 'prots'"),
    ],
)
def test_what_there_is_not(desk: Workspace, entry: Callable[[str], str], words: tuple[str, ...], message: str) -> None:
    done = desk.look("explain", *(word.format(entry=entry("fallen.txt")) for word in words))
    assert (done.code, done.out) == (1, "")
    assert message in done.err


def test_nothing_to_explain_is_a_mistake_of_usage(desk: Workspace) -> None:
    assert desk.look("explain").code == 2


def test_where_nothing_was_stored_yet(work: Workspace) -> None:
    done = work.look("explain", "ent-1")
    assert done.code == 69
