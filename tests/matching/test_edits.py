"""What an edit changed of a theme, in words; what is no change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.matching.book import RuleBook
from monitor.matching.edits import edited_themes, files_of
from monitor.rulebook.themes import load_rules

PATH = "themes/ports.yaml"
THEME: dict[str, Any] = {
    "theme": "ports",
    "title": "Ports",
    "use": ["things"],
    "concepts": {"work": {"terms": ["strike*"], "de": ["Streik*"], "except": ["strike price"]}},
    "rules": [
        {"id": "called", "when": "work and harbours", "unless": "title:(\"film\")", "where": {"languages": ["en"]}},
        {"id": "listed", "when": "unions"},
    ],
    "examples": {"no_match": ["Nothing of it."]},
}  # fmt: skip
THINGS = {
    "harbours": {"terms": ["harbour*"], "include": ["quays"]},
    "quays": ["quay*"],
    "unions": {"list": "watchlists/u.txt"},
    "unused": ["x-ray"],
}


def files(theme: dict[str, Any] | None = None, things: dict[str, Any] | None = None, **more: str) -> dict[str, str]:
    texts = {
        PATH: json.dumps({**THEME, **(theme or {})}),
        "concepts/things.yaml": json.dumps({"concepts": {**THINGS, **(things or {})}}),
        "watchlists/u.txt": "Dockers United\n",
    }
    return texts | more


def load(texts: dict[str, str]) -> RuleBook:
    book, faults = load_rules(texts)
    assert book is not None, faults
    return book


def edits(
    after: dict[str, str], before: dict[str, str] | None = None
) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    old = before or files()
    paths = [path for path in {*old, *after} if old.get(path) != after.get(path)]
    found = edited_themes(load(old), load(after), paths)
    return [(edit.about, edit.removed, edit.added) for edit in found.get("ports", ())]


def rules(**called: Any) -> dict[str, Any]:
    return {"rules": [{**THEME["rules"][0], **called}, THEME["rules"][1]]}


def work(**concept: Any) -> dict[str, Any]:
    return {"concepts": {"work": {**THEME["concepts"]["work"], **concept}}}


@pytest.mark.parametrize(
    ("theme", "edit"),
    [
        (work(de=["Streik*", "Ausstand"]), ("concept work", (), ("Ausstand",))),
        (work(terms=["walkout"]), ("concept work", ("strike*",), ("walkout",))),
        (work(terms=["strike*", {"term": "Gift", "only_in": ["de"]}]), ("concept work", (), ("Gift (only in de)",))),
        (work(**{"except": ["strike price", "air strike"]}), ("concept work, except", (), ("air strike",))),
        (rules(when="work w/s harbours"), ("rule called, when", ("work and harbours",), ("work w/s harbours",))),
        (rules(unless='title:("novel")'), ("rule called, unless", ('title:("film")',), ('title:("novel")',))),
        (rules(where={"languages": ["en"], "max_age": "2d"}), ("rule called, where", (), ("max_age: 172800",))),
        (rules(severity="critical"), ("rule called, severity", (), ("critical",))),
        ({"rules": [THEME["rules"][0]]}, ("rule listed", ("unions",), ())),
        ({"rules": [*THEME["rules"], {"id": "new", "when": "quays"}]}, ("rule new", (), ("quays",))),
        ({"severity": "high"}, ("severity", ("medium",), ("high",))),
        ({"mode": "shadow"}, ("mode", ("live",), ("shadow",))),
        ({"owner": "desk"}, ("owner", (), ("desk",))),
        ({"tags": ["a"]}, ("tags", (), ("a",))),
        ({"rematch": "0"}, ("rematch", ("1209600",), ("0",))),
        ({"examples": {"no_match": ["Nothing at all."]}},
         ("examples", ("no match: Nothing of it.",), ("no match: Nothing at all.",))),
    ],
)  # fmt: skip
def test_one_edit_is_named_by_what_went_and_what_came(theme: dict[str, Any], edit: tuple[str, Any, Any]) -> None:
    assert edits(files(theme)) == [edit]


def test_what_a_rule_reaches_through_shared_files_counts() -> None:
    assert edits(files(things={"quays": ["quay*", "wharf"]})) == [("concept things.quays", (), ("wharf",))]
    assert edits(files(**{"watchlists/u.txt": "Dockers United\nCrane Drivers\n"})) == [
        ("concept things.unions", (), ("Crane Drivers",))
    ]
    assert edits(files(things={"harbours": ["harbour*"]})) == [
        ("concept things.harbours, include", ("things.quays",), ())
    ]


def test_a_name_that_means_another_concept_is_a_change() -> None:
    pools = {f"concepts/{name}.yaml": json.dumps({"concepts": {"yards": [name]}}) for name in ("pa", "pb")}
    theme = {"rules": [{"id": "called", "when": "yards"}], "concepts": {}}
    before, after = (files({**theme, "use": [name]}, **pools) for name in ("pa", "pb"))
    assert edits(after, before) == [("concept yards", ("pa.yards",), ("pb.yards",))]


def test_a_term_beside_a_name_of_a_list_with_the_same_letters_is_a_change() -> None:
    before = files(things={"unions": {"list": "watchlists/u.txt"}}, **{"watchlists/u.txt": "SMIC\n"})
    after = {**before, **files(things={"unions": {"list": "watchlists/u.txt", "terms": ["SMIC"]}})}
    after["watchlists/u.txt"] = before["watchlists/u.txt"]
    assert edits(after, before) == [("concept things.unions", (), ("SMIC",))]


def test_the_language_that_a_term_is_written_under_is_no_change() -> None:
    assert edits(files(work(terms=["strike*", "Streik*"], de=[]))) == []


def test_what_no_rule_reaches_is_no_change() -> None:
    assert edits(files(things={"unused": ["gamma ray"]})) == []
    assert edits(files(**{"themes/other.yaml": "{theme: other, title: Other, rules: [{id: a, when: '\"b\"'}]}"})) == []


def test_comments_order_and_line_breaks_are_no_change() -> None:
    text = "# to be read by people\n" + json.dumps(dict(reversed(THEME.items())), indent=3)
    assert edits({**files(), PATH: text}) == []


def test_a_theme_that_comes_or_goes_is_named() -> None:
    more = files(**{"themes/other.yaml": "{theme: other, title: Other, rules: [{id: a, when: '\"b\"'}]}"})
    for old, new in ((files(), more), (more, files())):
        assert edited_themes(load(old), load(new), ["themes/other.yaml"]) == {"other": ()}


def test_the_files_on_which_a_theme_depends() -> None:
    book = load(files())
    assert files_of(book, book.themes[0]) == {PATH, "concepts/things.yaml", "watchlists/u.txt"}
