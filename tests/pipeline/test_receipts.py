"""What the owner of a theme is told of an edit: what it gains and loses, how to undo it, what is wrong with it."""

import json
from datetime import time

import pytest
from msgspec.structs import replace

from monitor.books import load_book
from monitor.core import digests, views
from monitor.core import events as ev
from monitor.core.entries import Arrival
from monitor.core.receipts import THEMES, Receipt, ThemeReceipt
from monitor.core.schedule import At
from monitor.errors import ConfigurationError, NotFound, Unavailable
from monitor.matching.book import RuleBook
from monitor.pipeline.rule_changes import RuleChanges, recompose
from tests.pipeline.desk import DELIVERED, book, failed, outbox
from tests.pipeline.edits import PATH, EditedDesk, theme

pytestmark = pytest.mark.anyio

DAILY = At(times=(time(7, 0),), time_zone="Europe/Vienna")


def newsroom(**files: str) -> EditedDesk:
    """The owner reads a digest a day; the operator hears at once."""
    return EditedDesk(book(outbox("owner", schedule=DAILY), outbox("file"), operator=["file"]), **files)


def with_news(**files: str) -> EditedDesk:
    """Three days, each with an entry of a crane, one of a gantry and one of neither."""
    desk = newsroom(**files)
    for day in range(3):
        desk.entry(f"Crane {day}", "A crane fell in the harbour. Nobody was hurt.")
        desk.entry(f"Gantry {day}", "Nobody was hurt. A gantry fell in the harbour.", language="en")
        desk.entry(f"Weather {day}", "Rain is on its way.")
        desk.clock.advance(days=1)
    return desk


def only(receipts: list[Receipt]) -> ThemeReceipt:
    [receipt] = receipts
    [part] = receipt.themes
    return part


def test_an_edit_tells_its_owner_at_once_what_it_gains_and_by_which_words():
    desk = with_news()
    [before] = desk.events(ev.RuleBookAdopted)
    desk.edit(**{PATH: theme(cranes=("crane*", "gantry"))})
    desk.follow()
    [receipt] = desk.told()
    part = only([receipt])
    assert [composed.receiver for composed in desk.digests()] == ["owner"]
    assert (receipt.undo, receipt.files, receipt.days, receipt.entries) == (before.revision, (f"rules/{PATH}",), 3, 9)
    assert (part.turn, part.before, part.after, part.gained, part.lost) == ("changed", 3, 6, 3, 0)
    assert [(change.about, change.removed, change.added) for change in part.changes] == [
        ("concept cranes", (), ("gantry",))
    ]
    item = part.gained_items[0]
    [passage] = item.passages
    assert (item.title.text, item.reason, item.rules) == ("Gantry 2", "newly found: 'gantry'", ("lifted",))
    assert passage.text == "A gantry fell in the harbour."
    assert [passage.text[start:end] for start, end in passage.marks] == ["gantry"]
    assert [(weight.term, weight.items) for weight in part.gained_terms] == [("gantry", 3)]


def test_what_is_lost_is_told_with_the_term_that_is_gone():
    desk = with_news(**{PATH: theme(cranes=("crane*", "gantry"))})
    desk.edit(**{PATH: theme(cranes=("gantry",))})
    desk.follow()
    part = only(desk.told())
    assert (part.before, part.after, part.gained, part.lost) == (6, 3, 0, 3)
    assert {item.reason for item in part.lost_items} == {"no longer found: 'crane*'"}
    assert [(weight.term, weight.items) for weight in part.lost_terms] == [("crane*", 3)]


async def test_the_receipt_goes_out_by_the_owners_receiver_once():
    desk = with_news()
    desk.edit(**{PATH: theme(cranes=("gantry",))})
    desk.follow()
    desk.restart()
    desk.follow()
    await desk.deliver()
    await desk.deliver()
    assert [bool(message.receipt) for message in desk.messages("owner")] == [True]
    assert not desk.messages("file")


async def test_a_receipt_that_cannot_be_delivered_is_tried_again():
    desk = with_news()
    desk.edit(**{PATH: theme(cranes=("gantry",))})
    desk.follow()
    desk.receiver("owner").outcomes = [failed(), DELIVERED]
    await desk.deliver()
    desk.clock.advance(hours=1)
    await desk.deliver()
    assert len(set(desk.receiver("owner").ids)) == 1
    assert [row.state for row in desk.deliveries()] == ["delivered"]


def test_a_theme_without_an_owner_that_is_a_receiver_tells_the_operator():
    desk = newsroom(**{PATH: theme(owner="somebody else")})
    desk.edit(**{PATH: theme(owner="somebody else", cranes=("gantry",))})
    desk.follow()
    assert [composed.receiver for composed in desk.digests()] == ["file"]


def test_receipt_off_sends_none():
    desk = newsroom(**{PATH: theme(receipt="off")})
    desk.edit(**{PATH: theme(receipt="off", cranes=("gantry",))})
    desk.follow()
    assert not desk.digests()


def test_a_comment_and_an_unused_concept_are_no_change():
    desk = newsroom()
    desk.edit(**{PATH: "# a remark\n" + theme(), "concepts/more.yaml": "concepts: {ships: [ship*]}\n"})
    desk.follow()
    assert not desk.digests()


def test_a_shared_concept_tells_of_every_theme_that_uses_it_in_one_message():
    shared = {"concepts": {}, "use": ["cranes"]}
    files = {"themes/a.yaml": theme("a", **shared), "themes/b.yaml": theme("b", **shared), PATH: theme()}
    desk = newsroom(**files, **{"concepts/cranes.yaml": "concepts: {cranes: [crane*]}\n"})
    desk.entry("A gantry fell")
    desk.edit(**{"concepts/cranes.yaml": "concepts: {cranes: [crane*, gantry]}\n"})
    desk.follow()
    [receipt] = desk.told()
    assert [(part.theme, part.gained) for part in receipt.themes] == [("a", 1), ("b", 1)]
    assert receipt.themes[0].changes[0].about == "concept cranes.cranes"
    assert (receipt.gained, receipt.lost) == (1, 0)


def test_the_command_that_undoes_an_edit_names_every_file_of_the_themes_told_of_and_no_other():
    mine = {f"themes/mine{number:02}.yaml": f"mine{number:02}" for number in range(THEMES + 5)}
    yours = {f"themes/yours{number}.yaml": f"yours{number}" for number in range(2)}

    def saved(*cranes: str) -> dict[str, str]:
        files = {path: theme(name, cranes=cranes) for path, name in mine.items()}
        return files | {path: theme(name, cranes=cranes, owner="file") for path, name in yours.items()}

    desk = newsroom(**saved("crane*"))
    desk.entry("A gantry fell")
    desk.edit(**saved("crane*", "gantry"))
    desk.follow()
    [told], [other] = desk.told("owner"), desk.told("file")
    assert told.files == tuple(f"rules/{path}" for path in mine)
    assert other.files == tuple(f"rules/{path}" for path in yours)
    assert (len(told.themes), told.more_themes, told.gained, told.lost) == (THEMES, 5, 1, 0)


@pytest.mark.parametrize(
    ("old", "new", "turn", "before", "after"),
    [
        (None, theme("more", cranes=("gantry",)), "added", 0, 3),
        (theme("more"), None, "removed", 3, 0),
        (theme("more", mode="shadow"), theme("more"), "on", 0, 3),
        (theme("more"), theme("more", mode="off"), "off", 3, 0),
    ],
)
def test_a_theme_that_comes_or_goes(old: str | None, new: str | None, turn: str, before: int, after: int):
    desk = with_news(**{PATH: theme()}, **({"themes/more.yaml": old} if old else {}))
    desk.edit(**{"themes/more.yaml": new})
    desk.follow()
    part = only(desk.told())
    assert (part.turn, part.before, part.after) == (turn, before, after)


def test_a_draft_in_the_shadow_tells_nobody():
    desk = with_news(**{PATH: theme(mode="shadow"), "themes/other.yaml": theme("other")})
    desk.edit(**{PATH: theme(mode="shadow", cranes=("gantry",))})
    desk.follow()
    assert not desk.digests()


def test_the_first_rules_are_told_to_nobody():
    assert not with_news().digests()


def test_what_was_edited_under_an_older_version_is_told_to_nobody():
    desk = EditedDesk(book(outbox("owner")), followed=False)
    desk.entry("A gantry fell")
    desk.edit(**{PATH: theme(cranes=("gantry",))})
    desk.detector.catch_up()
    desk.restart()
    desk.edit(**{PATH: theme(cranes=("gantry", "crane"))})
    desk.follow()
    [change] = only(desk.told()).changes
    assert change.added == ("crane",)


def test_the_first_edit_after_an_upgrade_is_told_though_the_process_died_meanwhile():
    desk = EditedDesk(book(outbox("owner")), followed=False)
    desk.entry("A gantry fell")
    desk.restart()
    desk.edit(**{PATH: theme(cranes=("gantry",))})
    desk.detector.catch_up()
    desk.restart()
    desk.follow()
    [change] = only(desk.told()).changes
    assert (change.removed, change.added) == (("crane*",), ("gantry",))


def test_only_the_last_thirty_days_count_and_of_a_revised_entry_its_last_text():
    desk = newsroom()
    desk.entry("Old", "A gantry fell.")
    desk.clock.advance(days=31)
    desk.entry("Already old when its source was added", "A gantry fell.", arrival=Arrival.BASELINE)
    desk.entry("New", "A gantry fell.")
    revised = desk.entry("Revised", "A gantry fell.")
    desk.revise(revised, "It was no accident at all.")
    desk.edit(**{PATH: theme(cranes=("gantry",))})
    desk.follow()
    [receipt] = desk.told()
    assert (receipt.days, receipt.entries) == (30, 2)
    assert [item.title.text for item in only([receipt]).gained_items] == ["New"]


def test_the_same_log_gives_the_same_receipt():
    told = []
    for steps in (None, 1, 2, 3):
        desk = with_news()
        desk.edit(**{PATH: theme(cranes=("gantry",))})
        desk.detector.catch_up()
        for _ in range(steps or 0):
            desk.rule_changes.step(desk.clock())
        desk.restart()  # the process died after so many steps
        desk.entry("A gantry more", "It came meanwhile.")
        desk.follow()
        told.append([composed.content for composed in desk.digests()])
    assert len(told[0]) == 1
    assert all(other == told[0] for other in told)


def test_a_digest_without_a_receipt_has_the_bytes_it_always_had():
    desk = with_news()
    desk.clock.advance(days=1)
    desk.close()
    content = desk.digests("owner")[0].content
    assert "receipt" not in json.loads(content)
    assert digests.encode(digests.decode(content))[0] == content


# --- faults


async def test_a_fault_is_told_to_the_owner_at_once_and_to_the_operator():
    desk = newsroom()
    adopted = desk.clock()
    desk.clock.advance(hours=1)
    desk.edit(f"{PATH}: unknown concept 'crnes'; did you mean 'cranes'?", "themes/new.yaml: this is no theme")
    desk.follow()
    await desk.turn()
    assert not desk.messages("file")
    desk.clock.advance(minutes=1)
    await desk.turn()
    [told] = desk.told("owner")
    assert told.faults == (f"rules/{PATH}:3:9: unknown concept 'crnes'; did you mean 'cranes'?",)
    assert (told.files, told.in_force_since, told.undo) == ((f"rules/{PATH}",), adopted, told.revision)
    assert not told.themes
    [notices] = [message.notices for message in desk.messages("file")]
    assert [notice.kind for notice in notices] == ["RuleBookRefused"]
    assert len(desk.messages("owner")) == 1


def test_an_owner_who_hears_of_faults_as_operator_is_told_once():
    desk = EditedDesk(book(outbox("owner"), operator=["owner"]))
    desk.edit(f"{PATH}: a fault")
    desk.follow()
    desk.clock.advance(minutes=1)
    desk.close()
    [composed] = desk.digests()
    assert digests.decode(composed.content).notices


def test_a_fault_in_a_shared_file_is_told_to_the_owners_of_what_uses_it():
    files = {PATH: theme(use=["cranes"], concepts={}), "themes/other.yaml": theme("other", owner="file")}
    desk = newsroom(**files, **{"concepts/cranes.yaml": "concepts: {cranes: [crane*]}\n"})
    desk.edit("concepts/cranes.yaml: a fault")
    desk.follow()
    assert [composed.receiver for composed in desk.digests()] == ["owner"]


def test_a_fault_that_was_mended_before_anybody_looked_is_not_told():
    desk = newsroom()
    desk.edit(f"{PATH}: a fault")
    desk.edit(**{PATH: theme(cranes=("gantry",))})
    desk.follow()
    [receipt] = desk.told()
    assert not receipt.faults


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConfigurationError("faulty to this version"), "faulty to this version"),
        (OverflowError("date value out of range"), "a fault of this program (OverflowError); please report it"),
    ],
)
def test_an_edit_that_cannot_be_followed_is_passed_over_and_the_operator_told(error: Exception, reason: str):
    desk = newsroom()
    desk.edit(**{PATH: theme(cranes=("gantry",))})

    def load(row: object) -> object:
        raise error

    desk.detector.catch_up()
    desk.rule_changes = RuleChanges(desk.store, desk.configure, load)  # type: ignore[arg-type]
    desk.follow()
    assert not desk.digests()
    desk.rule_changes = RuleChanges(desk.store, desk.configure, load_book)
    assert not desk.rule_changes.step(desk.clock())
    desk.clock.advance(minutes=1)
    desk.close()
    [composed] = desk.digests()
    [notice] = digests.decode(composed.content).notices
    assert (composed.receiver, notice.kind, notice.detail) == ("file", "RuleChangeFailed", reason)


def test_trouble_of_the_moment_is_tried_again():
    desk = newsroom()
    desk.edit(**{PATH: theme(cranes=("gantry",))})
    trouble = [Unavailable("the server went away")]

    def load(row: views.BookRow) -> RuleBook:
        if trouble:
            raise trouble.pop()
        return load_book(row)

    desk.detector.catch_up()
    desk.rule_changes = RuleChanges(desk.store, desk.configure, load)
    with pytest.raises(Unavailable):
        desk.follow()
    desk.follow()
    assert only(desk.told()).turn == "changed"
    assert not desk.events(ev.RuleChangeFailed)


def test_receipts_are_rebuilt_from_the_log_to_the_same_bytes_whatever_came_after():
    desk = with_news()
    desk.edit(**{PATH: theme(cranes=("gantry",))})
    desk.follow()
    desk.edit(f"{PATH}: a fault")
    desk.follow()
    composed = desk.digests("owner")
    desk.clock.advance(days=40)
    desk.entry("A gantry more", "A gantry fell.")
    desk.edit(**{PATH: theme(cranes=("derrick",))})
    desk.adopt(book(outbox("somebody")))
    desk.follow()
    for one in composed:
        assert digests.encode(recompose(desk.store, desk.configure, load_book, one))[0] == one.content
    assert len(composed) == 2
    unknown = replace(composed[0], digest_id="dig-unknown")
    with pytest.raises(NotFound, match="no longer in the log"):
        recompose(desk.store, desk.configure, load_book, unknown)
