"""`monitor match`: documents from JSON Lines against the rules; nothing stored; the answer the contract names."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from tests.acceptance.harness import Finished, Workspace

THEME = """\
theme: ports
title: Ports
severity: medium
concepts:
  port:
    terms: [harbour, "quay*"]
    zh: [港口]
rules:
  - {id: crane, when: port w/5 "crane", unless: 'title:("football")'}
  - {id: ship, when: port and "ship", severity: critical, where: {tags: [official], languages: [en]}}
"""
CRANE = {"id": 1, "title": "A crane fell", "text": "At the harbour a crane fell on two quays."}
SHIP = {"id": "two", "text": "Ship in harbour"}


@pytest.fixture
def ports(work: Workspace) -> Workspace:
    (work.home / "rules/themes/machines.yaml").unlink()
    work.write("rules/themes/ports.yaml", THEME)
    return work


@pytest.mark.parametrize("line", ["[" * 100_000, '{"text": "x", "more": ' + "[" * 100_000])
def test_a_deeply_nested_line_is_named_and_the_others_are_answered(ports: Workspace, line: str) -> None:
    done = match(ports, line, CRANE)
    assert done.code == 1
    assert "line 1: not a JSON object" in done.err
    assert [row["id"] for row in done.rows] == [1]


def match(work: Workspace, *documents: Any, options: tuple[str, ...] = ("--json",)) -> Finished:
    """`monitor match` over these, each a line: an object, or a line as it is."""
    lines = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in documents]
    path = work.write("documents.jsonl", "\n".join(lines) + "\n")
    return work.look("match", str(path), *options)


def test_one_answer_a_line_in_order(ports: Workspace) -> None:
    done = match(ports, CRANE, {"id": None, "title": "Nothing"}, SHIP, {"text": "no id at all"})
    assert done.code == 0
    assert [(row["id"], row["themes"]) for row in done.rows] == [
        (1, ["ports"]), (None, []), ("two", ["ports"]), (None, []),
    ]  # fmt: skip
    assert done.rows[1]["matches"] == []
    [found] = done.rows[0]["matches"]
    assert (found["theme"], found["rule"], found["severity"]) == ("ports", "crane", "medium")
    assert found["evidence"] == [
        {"concept": "port", "term": "harbour", "field": "text", "start": 7, "end": 14, "text": "harbour"},
        {"concept": "", "term": "crane", "field": "text", "start": 17, "end": 22, "text": "crane"},
        {"concept": "port", "term": "quay*", "field": "text", "start": 35, "end": 40, "text": "quays"},
    ]
    assert done.rows[2]["matches"][0]["severity"] == "critical"
    assert done.err == ""
    assert not (ports.home / "state" / "monitor.db").exists()


@pytest.mark.parametrize(
    "text", ["𝒳 𝒳 港口 crane", "e\u0301\u00ad港口 crane", "\r\n港口\ta crane\x00", "🚢🚢港口 crane"]
)
def test_offsets_are_code_points_of_the_field_as_given(ports: Workspace, text: str) -> None:
    [row] = match(ports, {"id": 1, "text": text}).rows
    evidence = row["matches"][0]["evidence"]
    assert [hit["text"] for hit in evidence] == ["港口", "crane"]
    for hit in evidence:
        assert text[hit["start"] : hit["end"]] == hit["text"]


def test_a_bad_line_is_named_and_the_others_are_answered(ports: Workspace) -> None:
    bad = [
        "no json", "[1]", '{"id": 1}', '{"text": 5}', '{"text": "x", "tags": "a"}', '{"text": "x", "tags": [1]}',
        '{"title": ["x"]}', '{"text": "\udc80"}', '{"text": "half',
    ]  # fmt: skip
    lines = [json.dumps(CRANE), "", *bad, json.dumps(SHIP)]
    path = ports.write("documents.jsonl", "\n".join(lines).encode("utf-8", "surrogateescape"))
    done = ports.look("match", str(path), "--json")
    assert done.code == 1
    assert [row["id"] for row in done.rows] == [1, "two"]
    said = done.err.splitlines()
    assert [line.partition(":")[0] for line in said] == [f"line {number}" for number in range(3, 3 + len(bad))]
    assert all(line.endswith("; it is left out") for line in said)


def test_null_is_as_absent_and_unknown_keys_are_ignored(ports: Workspace) -> None:
    document = {
        **CRANE,
        "url": None,
        "lang": None,
        "published": "no date",
        "source": None,
        "tags": None,
        "more": {"a": 1},
    }
    assert match(ports, document).rows[0]["themes"] == ["ports"]


def test_what_a_line_does_not_say_passes_unless_strict(ports: Workspace) -> None:
    told = {**SHIP, "tags": ["official"], "lang": "en"}
    wrong = {**SHIP, "lang": "fr", "tags": ["official"]}
    assert [row["themes"] for row in match(ports, SHIP, told, wrong).rows] == [["ports"], ["ports"], []]
    strict = match(ports, SHIP, told, wrong, options=("--json", "--strict"))
    assert strict.code == 0
    assert [row["themes"] for row in strict.rows] == [[], ["ports"], []]


def test_unless_takes_the_match_away(ports: Workspace) -> None:
    [row] = match(ports, {**CRANE, "title": "Football: a crane fell"}).rows
    assert row["themes"] == []


def test_figures_at_the_end(ports: Workspace) -> None:
    done = match(ports, CRANE, "broken", SHIP, options=("--json", "--stats"))
    assert done.code == 1
    said, figures = done.err.splitlines()
    assert said.startswith("line 2: ")
    stats = json.loads(figures)
    assert stats.keys() == {
        "entries", "load_seconds", "match_cpu_seconds", "match_wall_seconds", "themes", "terms",
    }  # fmt: skip
    assert (stats["entries"], stats["themes"], stats["terms"]) == (2, 1, 6)
    assert stats["load_seconds"] > 0
    assert stats["match_wall_seconds"] > 0
    assert stats["match_cpu_seconds"] >= 0


def test_several_processes_answer_the_same_in_the_same_order(ports: Workspace) -> None:
    documents = [{**(CRANE if number % 3 else SHIP), "id": number} for number in range(300)]
    lines = [*documents[:70], "broken", *documents[70:]]
    alone = match(ports, *lines, options=("--json",))
    together = match(ports, *lines, options=("--json", "--jobs", "2", "--stats"))
    assert together.out == alone.out
    assert together.err.splitlines()[0] == alone.err.splitlines()[0]
    assert json.loads(together.err.splitlines()[1])["entries"] == 300
    assert (alone.code, together.code) == (1, 1)


@pytest.mark.parametrize("jobs", ["0", "-2", "two"])
def test_jobs_that_cannot_be(ports: Workspace, jobs: str) -> None:
    done = match(ports, CRANE, options=("--jobs", jobs))
    assert (done.code, done.out) == (2, "")
    assert "jobs" in done.err.lower()


def test_for_people(ports: Workspace) -> None:
    done = match(ports, {**CRANE, "id": "a\x1b[31m"}, {"title": "Nothing"}, options=())
    assert done.code == 0
    assert done.out.splitlines() == [
        "a [31m: ports",
        "    ports/crane (medium): “harbour” “crane” “quays”",
        "line 2: -",
    ]


@pytest.mark.parametrize("words", [("-",), ()])
def test_standard_input(ports: Workspace, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    lines = json.dumps(CRANE).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    assert ports.look("match", *words, "--json").rows[0]["id"] == 1


def test_an_option_that_is_none_is_no_file(ports: Workspace) -> None:
    done = ports.look("match", "--jsn")
    assert (done.code, done.out) == (2, "")
    assert "unknown option '--jsn'" in done.err


def test_a_draft_of_rules(ports: Workspace) -> None:
    ports.write(
        "draft/themes/ports.yaml",
        THEME.replace('"crane", unless', '"cr?ne", unless').replace("theme: ports", "theme: draft"),
    )
    done = match(ports, CRANE, options=("--json", "--rules", str(ports.home / "draft")))
    assert done.rows[0]["themes"] == ["draft"]


def test_faulty_rules_match_nothing(ports: Workspace) -> None:
    ports.write("rules/themes/ports.yaml", THEME.replace("port and", "prot and"))
    done = match(ports, CRANE)
    assert (done.code, done.out) == (78, "")
    assert "rules/themes/ports.yaml:10:" in done.err
    assert "'prot'" in done.err


def test_a_file_that_is_not_there(ports: Workspace) -> None:
    done = ports.look("match", str(ports.home / "none.jsonl"))
    assert (done.code, done.out) == (2, "")
    assert "cannot be read" in done.err
