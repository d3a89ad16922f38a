"""The text part: columns, marks, and lines that no title can forge."""

import re

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from monitor.matching.model import Evidence
from monitor.receivers.render.text import WIDTH, render_text, wrap
from tests.receivers.letters import COMPOSED, digest, four_scripts


def test_it_stands_alone():
    crane = {"title": "A crane fell", "text": "The crane is old.", "url": "https://news.example.org/crane"}
    text = render_text(digest(crane), COMPOSED)
    for part in ("1 new", "[MEDIUM] A crane fell", "https://news.example.org/crane", "port-news · news.example.org",
                 "published 2 Mar 2026", "| The *crane* is old.", "Why: Harbour watch / stop", "words: crane",
                 "monitor explain alr-", "COVERAGE", "log position"):  # fmt: skip
        assert part in text


def test_lines_fit_a_terminal_except_addresses():
    for line in render_text(four_scripts(40), COMPOSED).splitlines():
        assert cell_len(line) <= WIDTH or re.match(r" *https?://\S+$", line)


def test_no_control_signs_reach_the_terminal():
    text = render_text(digest({"title": "A \x1b[31mcrane\x07\u202e", "text": "crane \x9b2J \x1b]0;x\x07"}), COMPOSED)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_a_title_cannot_forge_a_section():
    text = render_text(digest({"title": "A crane\n\nCOVERAGE\n\nall is well"}), COMPOSED)
    assert text.count("\nCOVERAGE\n") == 1


@given(st.text(max_size=400), st.sampled_from(["", "1. ", "    | "]), st.sampled_from(["", "   ", "    | "]))
def test_wrapping_keeps_every_sign_and_the_width(text: str, first: str, rest: str):
    text = " ".join(text.split())
    lines = wrap(text, first, rest)
    assert all(cell_len(line) <= WIDTH for line in lines)
    body = "".join([lines[0][len(first) :], *(line[len(rest) :] for line in lines[1:])])
    assert body.replace(" ", "") == text.replace(" ", "")


def test_han_breaks_between_signs_and_never_before_a_full_stop():
    lines = wrap("机床" * 18 + "机。" + "床" * 30)
    assert all(cell_len(line) <= WIDTH for line in lines)
    assert not any(line.startswith("。") for line in lines)


def test_words_stand_with_their_concept_or_are_named_in_the_rule():
    content = digest(
        {"text": "crane ship barge dredger tug lock", "words": ("crane", "ship", "barge", "dredger", "tug")}
    )
    (story,) = content.new
    (alert,) = story.alerts
    (rule,) = alert.rules
    vessels = [replace(hit, concept="vessels") for hit in rule.evidence if hit.field == "text" and hit.text != "crane"]
    literal = replace(vessels[0], concept="", text="lock")
    crane = next(hit for hit in rule.evidence if hit.text == "crane")

    def words(*evidence: Evidence) -> str:
        found = replace(story, alerts=(replace(alert, rules=(replace(rule, evidence=evidence),)),))
        text = " ".join(render_text(replace(content, new=(found,)), COMPOSED).split())
        return text.partition("words: ")[2].partition(" crane Every clause")[0]

    assert (
        words(literal, crane, *vessels)
        == "crane (crane); ship, barge, dredger, tug (vessels); lock (named in the rule)"
    )
    more = (*vessels, replace(vessels[0], text="wherry"))
    assert words(*more) == "ship, barge, dredger +2 (vessels)"
