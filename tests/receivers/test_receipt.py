"""A receipt as people and programs get it."""

from __future__ import annotations

import email
import email.policy
import json
from datetime import timedelta

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from monitor.core import digests
from monitor.core.digests import Digest
from monitor.core.excerpts import Passage
from monitor.core.receipts import SHOWN, THEMES, Change, Item, Receipt, ThemeReceipt, Weight
from monitor.receivers.render.html import MOST_BYTES, render_html
from monitor.receivers.render.mail import build_mail
from monitor.receivers.render.payload import render_payload
from monitor.receivers.render.text import render_text
from tests.fakes import START
from tests.receivers.letters import COMPOSED, SCRIPTS, digest, message

HOSTILE = '<script>alert("x")</script> \u202e{{ 7 * 7 }} =?utf-8?q?=0D=0ABcc:?='


def item(language: str = "en", title: str = "A gantry fell", text: str = "A gantry fell.", **fields: object) -> Item:
    whole = Item(
        entry_id="ent-1", source="port-news", title=Passage(title), url="https://news.example.org/1", published=START,
        first_seen=START, language=language, rules=("lifted",), reason="newly found: 'gantry'",
        passages=(Passage(text, ((2, 8),)),),
    )  # fmt: skip
    return replace(whole, **fields)


def part(**fields: object) -> ThemeReceipt:
    whole = ThemeReceipt(
        theme="ports", title="Work in ports", turn="changed",
        changes=(Change(about="concept cranes", removed=(), more_removed=0, added=("gantry",), more_added=3),),
        more_changes=0, before=12, after=27, gained=18, lost=3, gained_items=(item(),),
        lost_items=(item(reason="no longer found: 'crane*'"),), gained_terms=(Weight(term="gantry", items=18),),
        lost_terms=(Weight(term="crane*", items=3),), examples=12, rematch_days=14,
    )  # fmt: skip
    return replace(whole, **fields)


def receipt(*themes: ThemeReceipt, **fields: object) -> Digest:
    gained, lost = (sum(getattr(one, name) for one in themes or (part(),)) for name in ("gained", "lost"))
    whole = Receipt(
        revision="new", undo="0123456789ab", at=START, in_force_since=START, files=("rules/themes/ports.yaml",),
        entries=1204, gained=gained, lost=lost, themes=themes or (part(),),
    )  # fmt: skip
    return replace(digest(), new=(), receipt=replace(whole, **fields))


def text_of(composed: Digest) -> str:
    return render_text(composed, COMPOSED)


def test_the_text_tells_a_stranger_what_the_change_did() -> None:
    assert text_of(receipt()).startswith(
        """\
Your change: +18, −3 items in 30 days
Mon 2 Mar 2026, 09:00 (UTC), for file
============================================================================

You, or a colleague, saved rules/themes/ports.yaml, and the new rules are in
force. To show what they do, both old and new rules were run over the 1,204
items that came in the last 30 days.

WORK IN PORTS (ports)

18 items gained, 3 items lost.

                 old rules   new rules
items found             12          27
a day                  0.4         0.9

What changed:
  concept cranes
    added: gantry, +3 more

Gained: 18 (the new rules find these, the old ones did not)
by term: gantry (18)

1. A gantry fell
   https://news.example.org/1
   port-news · news.example.org · published 2 Mar 2026 · English
   | A *gantry* fell.
   newly found: 'gantry' (rule lifted)

+17 more like these

Lost: 3 (the old rules found these, the new ones do not)
"""
    )
    assert (
        text_of(receipt())
        .partition("- all 12 examples pass\n")[2]
        .startswith(
            """\
- what the new rules find in the last 14 days, and the old ones did not,
  comes in the next scheduled digest under “Found by your rule change”

To undo it:
  monitor rules restore 0123456789ab \\
    rules/themes/ports.yaml
"""
        )
    )


@pytest.mark.parametrize(
    ("themes", "fields", "subject"),
    [
        ([part()], {}, "Your change: +18, −3 items in 30 days: Work in ports"),
        ([part(lost=0, gained=1)], {"days": 1}, "Your change: +1 item in 1 day: Work in ports"),
        ([part(lost=0, gained=0)], {}, "Your change finds the same as before: Work in ports"),
        ([part(turn="added", lost=0)], {}, "Your new theme: +18 items in 30 days: Work in ports"),
        ([part(turn="removed", gained=0)], {}, "Your theme was removed: −3 items in 30 days: Work in ports"),
        ([part(turn="added", lost=0, gained=0)], {}, "Your new theme: nothing found in 30 days: Work in ports"),
        ([part(turn="off", gained=0, lost=0)], {}, "Your theme alerts no more: Work in ports"),
        ([part(turn="removed", gained=0), part(turn="added", lost=0)], {},
         "Your change: 1 theme added, 1 theme removed; +18, −3 items in 30 days: Work in ports and 1 more"),
        ([part(turn="removed", gained=0, lost=0), part(gained=0, lost=0)], {},
         "Your change: 1 theme removed: Work in ports and 1 more"),
        ([part(turn="on", lost=0), part(turn="off", gained=0)], {},
         "Your change: 1 theme live now, 1 theme alerting no more; +18, −3 items in 30 days: Work in ports and 1 more"),
        ([part(), part()], {"more_themes": 2, "gained": 19},
         "Your change: +19, −6 items in 30 days: Work in ports and 3 more"),
        ([], {"faults": ("rules/themes/ports.yaml:1:2: a fault",), "more_faults": 1},
         "Your change of rules/themes/ports.yaml is not in force: 2 faults"),
    ],
)  # fmt: skip
def test_the_subject_says_what_happened(themes: list[ThemeReceipt], fields: dict[str, object], subject: str) -> None:
    built = build_mail(message(receipt(*themes, **fields)), sender="m@example.org", to=["a@example.org"])
    mail = email.message_from_bytes(built, policy=email.policy.default)
    assert " ".join(mail["Subject"].split()) == subject  # Python folds some lines with a blank too many


def test_of_a_new_theme_nothing_is_compared_and_of_one_that_is_gone_neither() -> None:
    fields = {"changes": (), "lost": 0, "lost_items": (), "before": 0, "after": 18, "examples": 0}
    text = text_of(receipt(part(turn="added", **fields)))
    assert "the new rules were run over the 1,204 items" in " ".join(text.split())
    assert "\nYour new theme. It finds 18 items, 0.6 a day.\n\nFound: 18 (these would have been alerts)\n" in text
    assert "   rule lifted\n" in text
    assert "- what it finds in the last 14 days comes in the next scheduled digest" in text
    assert "old" not in text
    fields = {"changes": (), "gained": 0, "gained_items": (), "before": 3, "after": 0}
    text = text_of(receipt(part(turn="removed", **fields)))
    gone = "Your theme was removed. Nothing more comes of it; it found 3 items, 0.1 a day."
    assert gone in " ".join(text.split())
    assert "old rules  " not in text
    for turn in ("added", "on", "removed", "off"):
        assert "</th>" not in render_html(receipt(part(turn=turn)), COMPOSED)
    assert "</th>" in render_html(receipt(), COMPOSED)


def test_two_themes_of_one_title_are_told_apart_by_their_ids() -> None:
    composed = receipt(part(turn="removed"), part(theme="docks", turn="added"))
    text, html = text_of(composed), render_html(composed, COMPOSED)
    assert "\nWORK IN PORTS (ports)\n" in text
    assert "\nWORK IN PORTS (docks)\n" in text
    assert ">docks</span></h2>" in html


def test_a_fault_says_what_is_wrong_what_is_in_force_and_how_to_go_back() -> None:
    faults = ("rules/themes/ports.yaml:6:11: unknown concept 'crnes'; did you mean 'cranes'?",)
    composed = receipt(faults=faults, themes=(), in_force_since=START - timedelta(days=1))
    for text in (" ".join(text_of(composed).split()), render_html(composed, COMPOSED).replace("&#39;", "'")):
        assert faults[0] in text
        assert "there is 1 fault" in text
        assert "the rules of 1 Mar 2026, 09:00 (revision new) stay in force" in text
        assert "monitor rules restore 0123456789ab" in text


def test_both_parts_show_the_same_items_in_their_own_direction() -> None:
    items = tuple(
        item(language, title, text, passages=(Passage(text, ((text.index(words[0]), text.index(words[0]) + 3),)),))
        for language, title, text, words in SCRIPTS
    )
    composed = receipt(part(gained_items=items))
    html, text = render_html(composed, COMPOSED), text_of(composed)
    for _, title, _, _ in SCRIPTS:
        assert title in html
        assert title.split()[0] in text
    assert 'lang="ar" dir="rtl"' in html
    assert all(cell_len(line) <= 76 for line in text.splitlines() if "https://" not in line)


def test_texts_from_outside_can_do_no_harm() -> None:
    composed = receipt(
        part(title=HOSTILE, gained_items=(item(title=HOSTILE, reason=HOSTILE, url=None, language="x"),),
             changes=(Change(about=HOSTILE, removed=(HOSTILE,), more_removed=0, added=(), more_added=0),)),
        files=(f"rules/{HOSTILE}",),
    )  # fmt: skip
    html = render_html(composed, COMPOSED)
    assert "<script>" not in html
    assert "{{ 7 * 7 }}" in html
    mail = email.message_from_bytes(
        build_mail(message(composed), sender="m@example.org", to=["a@example.org"]), policy=email.policy.default
    )
    assert mail["Bcc"] is None


def test_however_much_changed_the_html_is_not_cut_off_by_mail_programs() -> None:
    long = item(title="A gantry fell " * 20, passages=(Passage("Крановщик упал. " * 26, ((0, 9),)),) * 2)
    composed = receipt(*[part(gained_items=(long,) * SHOWN, lost_items=(long,) * SHOWN)] * THEMES, more_themes=9)
    html = render_html(composed, COMPOSED)
    assert 0 < len(html.encode()) <= MOST_BYTES
    assert "more themes changed" in html


def test_a_webhook_gets_the_receipt_as_data_of_its_own_type() -> None:
    payload = json.loads(render_payload(message(receipt())))
    assert (payload["type"], payload["data"]["alerts"]) == ("receipt", [])
    assert payload["data"]["receipt"]["themes"][0]["gained"] == 18
    ordinary = json.loads(render_payload(message()))
    assert ordinary["type"] == "digest"
    assert "receipt" not in ordinary["data"]


def test_a_receipt_survives_being_stored() -> None:
    composed = receipt()
    assert digests.decode(digests.encode(composed)[0]) == composed
    assert not composed.empty
