"""Expressions in a digest: whole where short, else the clauses that can have decided, never cut within one."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.matching.syntax import parse
from monitor.receivers.render.expressions import SHORT, shortened
from monitor.rulebook.themes import load_rules, read_rule_files

BRANCHES = (
    "((machines w/6 china) w/s russia w/s (ships or sells))",
    'lead:("chips" and ((ships w/4 china) w/s russia))',
    "(banks w/s (pays or settles) w/s china w/s russia)",
    "(title:(drones) and (ships w/3 russia))",
)
LONG = " or ".join(BRANCHES)


def test_a_short_expression_stands_whole():
    when = " or ".join(BRANCHES[:2])
    assert len(when) <= SHORT
    assert shortened(when, frozenset()) == when


def test_of_a_long_one_the_clauses_stand_whose_words_were_found():
    assert shortened(LONG, frozenset(("machines", "china", "russia", "sells"))) == f"({BRANCHES[0][1:-1]}) or …"
    assert shortened(LONG, frozenset(("chips", "china", "russia", "ships"))) == f"{BRANCHES[1]} or …"
    assert shortened(LONG, frozenset(("banks", "china", "russia", "pays", "drones", "ships"))) == (
        f"{BRANCHES[2]} or {BRANCHES[3]} or …"
    )


def test_where_the_words_tell_nothing_the_first_clauses_stand():
    assert shortened(LONG, frozenset(("unknown",))) == f"{' or '.join(BRANCHES[:3])} or …"


def test_of_all_that_must_hold_the_first_clauses_stand():
    when = " and ".join(f"(term-{number} or other-{number})" for number in range(12))
    said = shortened(when, frozenset(f"term-{number}" for number in range(12)))
    assert said.startswith("(term-0 or other-0) and (term-1 or other-1) and ")
    assert said.endswith(" and …")
    assert len(said) <= SHORT + 10


def test_what_is_long_within_a_field_is_shortened_there():
    near = ("a w/s (b or c)", "machines w/6 (ships or sells) w/6 russia", "banks w/6 (pays or settles) w/6 russia")
    when = f"lead:({' or '.join(f'({one})' for one in (*near, *near))})"
    assert len(when) > SHORT
    assert shortened(when, frozenset(("banks", "russia", "pays"))) == f"lead:(({near[2]}) or ({near[2]}) or …)"


@pytest.mark.parametrize("when", ["a and (" * 60, "x" * 5000, "(a and b) w/5 c or " + "d " * 200, "“" * 300])
def test_what_cannot_be_read_is_cut(when: str):
    assert len(shortened(when, frozenset())) <= 3 * SHORT


def test_every_shipped_rule_is_cut_between_clauses():
    book, _ = load_rules(read_rule_files(Path("rules"))[0])
    assert book is not None
    for theme in book.themes:
        for rule in theme.rules:
            when = " ".join(rule.when.split())
            said = shortened(when, frozenset(theme.scope))
            assert len(said) <= SHORT + 60, rule.id
            assert parse(said.replace(" or …", "").replace(" and …", ""))[0] is not None, said
