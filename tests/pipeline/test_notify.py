"""Windows, digests and deliveries over the memory store, with receivers that do as they are told."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from secrets import token_bytes

import pytest

from monitor.core import digests, views
from monitor.core import events as ev
from monitor.core.deliveries import Outcome, Result
from monitor.core.entries import Arrival
from monitor.core.routing import Email, OnUnknown, Outbox, Route
from monitor.core.schedule import At
from monitor.errors import MonitorError, NotFound, TryAgain
from monitor.matching.model import Severity
from monitor.pipeline.deliver import LANES
from monitor.pipeline.notify import FAR, change_deliveries
from monitor.ports import Commit, PollState
from monitor.store.memory import MemoryStore
from tests.fakes import LockableStore, ManualClock
from tests.pipeline.desk import DELIVERED, THEME, UNKNOWN, Desk, book, entropy, failed, outbox

pytestmark = pytest.mark.anyio

DAILY = At(times=(time(7, 0),), time_zone="Europe/Vienna")
WEEKDAYS = At(times=(time(7, 0),), time_zone="Europe/Vienna", days=frozenset(range(5)))


def titles(composed: ev.DigestComposed) -> list[str]:
    return [story.headline.text for story in digests.decode(composed.content).stories]


async def test_one_alert_goes_out_once():
    desk = Desk()
    desk.alert("A crane fell")
    await desk.turn()
    await desk.turn()
    assert len(desk.receiver().sent) == 1
    assert titles(desk.digests()[0]) == ["A crane fell"]
    assert [row.state for row in desk.deliveries()] == ["delivered"]


async def test_two_installations_never_send_under_one_id():
    desks = [Desk(store=MemoryStore(views=views.ALL, clock=ManualClock(), entropy=token_bytes)) for _ in range(2)]
    for desk in desks:
        desk.alert("A crane fell")
        await desk.turn()
        await desk.notifier.send_trial("file")
    ids = [sent for desk in desks for sent in desk.receiver().ids]
    assert len(set(ids)) == 4
    composed = desks[0].digests()[0]
    desks[0].restart()
    stored, again = desks[0].composer.rebuild(composed.digest_id)
    assert stored.content == digests.encode(again)[0]


async def test_alerts_gather_for_the_group_wait():
    desk = Desk(book(outbox(group_wait=timedelta(seconds=60))))
    desk.alert("First")
    desk.clock.advance(seconds=40)
    desk.alert("Second")
    await desk.turn()
    assert not desk.digests()
    desk.clock.advance(seconds=20)
    await desk.turn()
    assert sorted(titles(desk.digests()[0])) == ["First", "Second"]


def test_settling_counts_the_group_wait_as_elapsed():
    desk = Desk(book(outbox(group_wait=timedelta(hours=1))))
    desk.alert()
    assert desk.close() == 0
    assert desk.close(settle=True) == 1


def test_a_clock_set_back_within_the_group_wait_delays_nothing():
    desk = Desk(book(outbox(group_wait=timedelta(seconds=60))))
    desk.alert()
    desk.clock.advance(hours=-1)
    assert desk.close() == 1


def test_a_new_receiver_begins_with_alerts_raised_after_it_was_added():
    desk = Desk(book(outbox("old")))
    desk.alert("Before")
    desk.adopt(book(outbox("old"), outbox("new")))
    desk.alert("After")
    desk.close()
    assert [titles(composed) for composed in desk.digests("new")] == [["After"]]
    assert [sorted(titles(composed)) for composed in desk.digests("old")] == [["After", "Before"]]


def test_an_alert_is_routed_by_the_routes_in_force_when_it_was_raised():
    calm = [Route(to=("duty",), at_least=Severity.CRITICAL)]
    desk = Desk(book(outbox("duty"), routes=calm, operator=["none"]))
    desk.alert("Old and medium")
    desk.close()
    desk.adopt(book(outbox("duty"), routes=[Route(to=("duty",))]))
    desk.alert("New and medium")
    desk.close()
    assert [titles(composed) for composed in desk.digests()] == [["New and medium"]]


def test_an_alert_without_a_route_goes_to_the_operator():
    desk = Desk(
        book(outbox("desk"), outbox("boss"), routes=[Route(to=("desk",), themes=("other",))], operator=["boss"])
    )
    desk.alert("Nobody's")
    desk.close()
    assert [titles(composed) for composed in desk.digests("boss")] == [["Nobody's"]]
    assert not desk.digests("desk")


def test_two_routes_to_one_receiver_send_once():
    desk = Desk(book(outbox(), routes=[Route(to=("file",), themes=(THEME,)), Route(to=("file",), tags=("ports",))]))
    desk.alert()
    desk.close()
    assert len(desk.digests()) == 1


def test_a_daily_window_closes_once_at_its_local_time():
    desk = Desk(book(outbox("desk", schedule=DAILY)))  # added on Monday, 09:00Z
    desk.alert("Monday's")
    desk.clock.now = datetime(2026, 3, 3, 5, 59, tzinfo=UTC)
    assert desk.close() == 0
    desk.clock.now = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # 07:00 in Vienna
    assert desk.close() == 1
    assert desk.close() == 0
    digest = digests.decode(desk.digests()[0].content)
    assert digest.window.end == datetime(2026, 3, 3, 6, 0, tzinfo=UTC)
    assert titles(desk.digests()[0]) == ["Monday's"]


def test_mondays_window_holds_the_weekend():
    desk = Desk(book(outbox("desk", schedule=WEEKDAYS)))
    desk.clock.now = datetime(2026, 3, 6, 6, 0, tzinfo=UTC)
    desk.close()
    for day in (6, 7, 8):
        desk.clock.now = datetime(2026, 3, day, 12, 0, tzinfo=UTC)
        desk.alert(f"Of March {day}")
        desk.close()
    desk.clock.now = datetime(2026, 3, 9, 6, 0, tzinfo=UTC)
    desk.close()
    assert len(titles(desk.digests()[-1])) == 3


def test_a_week_of_downtime_makes_one_merged_digest():
    desk = Desk(book(outbox("desk", schedule=DAILY)))
    desk.alert("Before the outage")
    desk.clock.advance(days=7)
    desk.restart()
    desk.alert("After the outage")
    assert desk.close() == 1
    assert desk.close() == 0
    assert sorted(titles(desk.digests()[0])) == ["After the outage", "Before the outage"]


def test_a_clock_set_back_over_the_slot_closes_no_window_twice():
    desk = Desk(book(outbox("desk", schedule=DAILY, always=True)))
    desk.clock.now = datetime(2026, 3, 3, 6, 0, 30, tzinfo=UTC)
    assert desk.close() == 1
    desk.clock.advance(hours=-1)
    assert desk.close() == 0
    desk.clock.advance(hours=1)
    assert desk.close() == 0
    desk.clock.advance(days=1)
    assert desk.close() == 1


def test_a_window_that_closed_under_a_clock_far_ahead_does_not_hold_up_the_next():
    desk = Desk(book(outbox("desk", schedule=DAILY, always=True)))
    today = desk.clock()
    desk.clock.advance(days=3650)
    assert desk.close() == 1
    desk.clock.now = today + timedelta(days=1)
    assert desk.close() == 1
    assert desk.close() == 0


def test_a_due_window_waits_a_minute_for_matching_and_says_what_it_lacks():
    desk = Desk(book(outbox("desk", schedule=DAILY, always=True)))
    desk.clock.now = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)
    desk.unmatched_entry()
    assert desk.close() == 0
    assert desk.notifier.next_wakeup(desk.clock()) == desk.clock()
    desk.clock.advance(seconds=59)
    assert desk.close() == 0
    desk.clock.advance(seconds=1)
    assert desk.close() == 1
    assert digests.decode(desk.digests()[0].content).coverage.unmatched == 1


def test_an_empty_window_sends_nothing_unless_always():
    desk = Desk(book(outbox("quiet", schedule=DAILY), outbox("chatty", schedule=DAILY, always=True)))
    desk.clock.advance(days=1)
    assert desk.close() == 2
    assert [composed.receiver for composed in desk.digests()] == ["chatty"]


def test_first_polls_make_one_message():
    desk = Desk()
    desk.alert("Of the first source", arrival=Arrival.ALREADY_THERE)
    other = PollState(source_id="slow", location="https://slow.example.org/", next_due=desk.clock())
    desk.store.append(Commit(polls=(other,)))
    assert desk.close() == 0
    desk.clock.advance(seconds=5)
    desk.alert("Of the second source", arrival=Arrival.ALREADY_THERE)
    desk.store.append(Commit(polls=(PollState(source_id="slow", location="", polled=1, next_due=desk.clock()),)))
    assert desk.close() == 1
    digest = digests.decode(desk.digests()[0].content)
    assert len(digest.already_there) == 2
    assert not digest.new


def test_a_first_poll_that_does_not_end_is_not_waited_for_long():
    desk = Desk()
    desk.alert(arrival=Arrival.ALREADY_THERE)
    stuck = PollState(source_id="stuck", location="https://stuck.example.org/", next_due=desk.clock())
    desk.store.append(Commit(polls=(stuck,)))
    assert desk.close() == 0
    desk.clock.advance(minutes=2)
    assert desk.close() == 1


def test_what_a_changed_rule_found_waits_for_the_scheduled_digest():
    desk = Desk(book(outbox("now"), outbox("daily", schedule=DAILY)))
    desk.alert("Old news", reason=ev.AlertReason.RULE_CHANGED)
    desk.close()
    desk.alert("New news")
    desk.close()
    assert [titles(composed) for composed in desk.digests("now")] == [["New news"]]
    desk.clock.advance(days=1)
    desk.close()
    digest = digests.decode(desk.digests("daily")[0].content)
    assert [story.headline.text for story in digest.rule_changed] == ["Old news"]


def test_a_digest_is_rebuilt_to_the_same_bytes_whatever_came_after():
    desk = Desk(book(outbox("desk", schedule=DAILY)))
    desk.append(
        "source/port-news", ev.SourceAdded(source_id="port-news", kind="feed", location="https://a.example.org")
    )
    alert = desk.alert("A crane fell", severity=Severity.HIGH)
    desk.clock.advance(days=1)
    desk.close()
    composed = desk.digests()[0]
    desk.append(f"alert/{alert}", ev.AlertAcknowledged(alert_id=alert))
    desk.append("source/port-news", ev.SourceFailed(source_id="port-news", reason="HTTP 503"))
    row = next(desk.store.rows(views.ENTRIES))
    desk.append(
        f"entry/{row.entry_id}",
        ev.EntryRevised(
            entry_id=row.entry_id, source_id=row.source_id, revision=2, url=None, title="Another title", author=None,
            text="Other text", published=None, updated=None, seen=desk.clock(), language=None, tags=(),
            fingerprint="f", changed=("title",), diff="",
        ),
    )  # fmt: skip
    desk.adopt(book(outbox("desk", schedule=DAILY), routes=[]))
    desk.restart()
    was, again = desk.composer.rebuild(composed.digest_id)
    assert was == composed
    assert digests.encode(again) == (composed.content, composed.content_hash)


def test_a_window_closed_without_its_digest_is_composed_to_the_same_bytes():
    whole, cut = Desk(), Desk()
    for desk in (whole, cut):
        desk.alert("A crane fell")
    whole.close()
    closed = whole.events(ev.WindowClosed)[0]
    cut.append("receiver/file", closed)
    cut.restart()
    cut.close()
    assert [c.content for c in cut.digests()] == [c.content for c in whole.digests()]
    assert len(cut.events(ev.WindowClosed)) == 1


def test_preview_appends_nothing_and_is_what_comes():
    desk = Desk(book(outbox("desk", schedule=DAILY)))
    desk.alert("A crane fell")
    head = desk.store.head()
    preview = desk.composer.preview("desk", desk.clock())
    assert desk.store.head() == head
    assert [story.headline.text for story in preview.stories] == ["A crane fell"]


def test_a_digest_sent_by_hand_leaves_the_scheduled_one_the_rest():
    desk = Desk(book(outbox("desk", schedule=DAILY)))
    desk.alert("Before")
    desk.close()
    assert desk.notifier.send_now("desk", actor="ann")
    assert desk.notifier.send_now("desk", actor="ann") is None
    desk.alert("After")
    desk.clock.advance(days=1)
    desk.close()
    assert [titles(composed) for composed in desk.digests()] == [["Before"], ["After"]]


async def test_one_delivery_per_address_or_one_for_all():
    addresses = ("a@example.org", "b@example.org")
    each, both = outbox("each", target=Email(addresses)), outbox("both", target=Email(addresses, together=True))
    desk = Desk(book(each, both))
    desk.alert()
    await desk.turn()
    assert sorted(m.recipient for m in desk.receiver("each").sent) == ["a@example.org", "b@example.org"]
    assert [m.recipient for m in desk.receiver("both").sent] == ["a@example.org, b@example.org"]


async def test_a_failure_is_tried_again_after_its_wait_under_the_same_id():
    desk = Desk()
    desk.receiver().outcomes = [failed(), DELIVERED]
    desk.alert()
    await desk.turn()
    row = desk.deliveries()[0]
    assert (row.state, row.last_error, row.attempts) == ("pending", "HTTP 503", 1)
    assert desk.notifier.next_wakeup(desk.clock()) == row.next_attempt
    await desk.turn()
    assert len(desk.receiver().sent) == 1
    desk.clock.now = row.next_attempt
    await desk.turn()
    assert desk.deliveries()[0].state == "delivered"
    assert len(set(desk.receiver().ids)) == 1
    assert desk.receiver().sent[0] == desk.receiver().sent[1]


async def test_retry_after_is_obeyed():
    desk = Desk()
    desk.receiver().outcomes = [failed("HTTP 429", retry_after=7200)]
    desk.alert()
    await desk.turn()
    assert desk.deliveries()[0].next_attempt - desk.clock() >= timedelta(hours=2)


async def test_a_permanent_failure_is_not_tried_again():
    desk = Desk()
    desk.receiver().outcomes = [failed("550 no such user", permanent=True)]
    desk.alert()
    await desk.turn()
    desk.clock.advance(days=30)
    await desk.turn()
    assert len(desk.receiver().sent) == 1
    assert desk.deliveries()[0].state == "failed"


async def test_a_receiver_that_is_gone_is_held_until_released():
    desk = Desk(book(outbox("hook")))
    desk.receiver("hook").outcomes = [
        failed("HTTP 410", receiver_gone=True),
        DELIVERED,
    ]
    desk.alert("First")
    await desk.turn()
    desk.alert("Second")
    await desk.turn()
    assert len(desk.receiver("hook").sent) == 1
    assert [row.state for row in desk.deliveries()] == ["held", "held"]
    change_deliveries(desk.store, "release", (), everything=True)
    await desk.turn()
    assert [row.state for row in desk.deliveries()] == ["delivered", "delivered"]


async def test_a_receiver_that_is_gone_goes_on_when_it_gets_another_address():
    desk = Desk(book(outbox("hook")))
    desk.receiver("hook").outcomes = [
        failed("HTTP 410", receiver_gone=True),
        DELIVERED,
    ]
    desk.alert("First")
    await desk.turn()
    desk.adopt(book(outbox("hook", target=Outbox("state/elsewhere"))))
    desk.alert("Second")
    await desk.turn()
    assert [row.state for row in desk.deliveries()] == ["held", "delivered"]


async def test_the_operator_hears_of_what_is_stuck_and_what_fails():
    deaf = outbox("deaf", target=Email(("x@example.org",)))
    desk = Desk(book(deaf, outbox("boss", schedule=DAILY), routes=[Route(to=("deaf",))], operator=["boss"]))
    desk.receiver("deaf").outcomes = [failed("550 no such user", permanent=True)]
    desk.append("source/a", ev.SourceAdded(source_id="a", kind="feed", location="https://a.example.org/"))
    desk.append("source/a", ev.SourceFailed(source_id="a", reason="HTTP 503"))
    desk.alert()
    await desk.turn()
    desk.clock.advance(days=1)
    await desk.turn()
    digest = digests.decode(desk.digests("boss")[0].content)
    assert [(note.kind, note.subject, note.detail) for note in digest.notices] == [
        ("DeliveryFailed", "deaf (x@example.org)", "550 no such user"),
        ("SourceFailed", "a", "HTTP 503"),
    ]
    assert (digest.coverage.healthy, digest.coverage.sources) == (0, 1)


async def test_an_unknown_outcome_is_sent_again_or_held_as_configured():
    again, hold = outbox("again"), outbox("hold", on_unknown=OnUnknown.HOLD)
    desk = Desk(book(again, hold, operator=["hold"]))
    desk.receiver("again").outcomes = [UNKNOWN, DELIVERED]
    desk.receiver("hold").outcomes = [UNKNOWN]
    desk.alert()
    await desk.turn()
    desk.clock.advance(hours=2)
    await desk.turn()
    assert len(desk.receiver("again").sent) == 2
    assert len(set(desk.receiver("again").ids)) == 1
    assert len(desk.receiver("hold").sent) == 1
    assert {row.receiver: row.state for row in desk.deliveries()} == {"again": "delivered", "hold": "held"}


async def test_a_slow_receiver_keeps_only_its_own_waiting():
    desk = Desk(book(outbox("slow"), outbox("swift")))
    gate = desk.receiver("slow").gate = asyncio.Event()
    for _ in range(3):
        desk.alert()
        desk.close()
    await desk.notifier.deliver_due(desk.clock())
    await desk.receiver("swift").until_sent(3)
    assert len(desk.receiver("slow").sent) <= LANES
    gate.set()
    assert await desk.notifier.drained(5)
    assert all(row.state == "delivered" for row in desk.deliveries())


async def test_a_receiver_that_raises_stops_only_itself():
    desk = Desk(book(outbox("bad"), outbox("good")))

    def explode() -> None:
        raise RuntimeError("the token is hunter2")

    desk.receiver("bad").on_send = explode
    desk.alert()
    await desk.turn()
    rows = {row.receiver: row for row in desk.deliveries()}
    assert rows["good"].state == "delivered"
    assert rows["bad"].last_error == "internal error (RuntimeError)"


async def test_an_outcome_that_could_not_be_recorded_is_recorded_later_and_nothing_sent_again():
    desk = Desk(book(outbox()), store=LockableStore(views=views.ALL, clock=ManualClock(), entropy=entropy()))
    desk.alert()
    desk.close()
    assert isinstance(desk.store, LockableStore)
    store = desk.store

    def lock() -> None:
        store.locked = True

    desk.receiver().on_send = lock
    await desk.deliver()
    with pytest.raises(TryAgain):
        await desk.deliver()
    assert [row.state for row in desk.deliveries()] == ["pending"]

    store.locked = False
    await desk.deliver()
    assert [row.state for row in desk.deliveries()] == ["delivered"]
    assert len(desk.receiver().sent) == 1


async def test_an_attempt_that_could_not_be_recorded_is_not_made():
    store = LockableStore(views=views.ALL, clock=ManualClock(), entropy=entropy())
    desk = Desk(book(outbox()), store=store)
    desk.alert()
    desk.close()
    store.locked = True
    await desk.deliver()
    assert not desk.receiver().sent
    store.locked = False
    await desk.deliver()
    assert [row.attempts for row in desk.deliveries()] == [1]
    assert len(desk.receiver().sent) == 1


def test_a_store_that_is_held_is_the_callers_trouble_and_the_window_closes_later():
    store = LockableStore(views=views.ALL, clock=ManualClock(), entropy=entropy())
    desk = Desk(book(outbox()), store=store)
    desk.alert()
    store.locked = True
    with pytest.raises(TryAgain):
        desk.close()
    store.locked = False
    assert desk.close() == 1


async def test_nothing_is_sent_while_the_outbox_is_held():
    desk = Desk()
    desk.append("system", ev.OutboxHeld(reason="restored from a backup"))
    desk.alert()
    await desk.turn()
    assert not desk.receiver().sent
    assert desk.notifier.next_wakeup(desk.clock()) is None
    change_deliveries(desk.store, "release", (), everything=True)
    await desk.turn()
    assert len(desk.receiver().sent) == 1


async def test_deliveries_of_a_receiver_no_longer_configured_are_held():
    desk = Desk(book(outbox("old"), outbox("other")))
    desk.alert()
    desk.close()
    desk.adopt(book(outbox("other")))
    await desk.deliver()
    rows = {row.receiver: row for row in desk.deliveries()}
    assert rows["old"].state == "held"
    assert rows["old"].last_error == "receiver 'old' is no longer configured"
    assert rows["other"].state == "delivered"


async def test_a_clock_set_back_does_not_delay_a_retry():
    desk = Desk()
    desk.receiver().outcomes = [failed(), DELIVERED]
    desk.alert()
    await desk.turn()
    wait = desk.deliveries()[0].next_attempt - desk.clock()
    desk.clock.advance(hours=-1)
    desk.notifier.clock_set_back(timedelta(hours=1))
    await desk.turn()
    assert len(desk.receiver().sent) == 1
    desk.clock.now += wait
    await desk.turn()
    assert len(desk.receiver().sent) == 2


async def test_a_retry_set_under_a_clock_far_ahead_is_made_now():
    desk = Desk()
    desk.receiver().outcomes = [failed(), DELIVERED]
    desk.alert()
    today = desk.clock()
    desk.clock.advance(days=3650)
    await desk.turn()
    desk.clock.now = today
    await desk.turn()
    assert len(desk.receiver().sent) == 2


async def test_stopping_cuts_off_what_does_not_end_and_the_next_start_records_it():
    desk = Desk()
    desk.receiver().gate = asyncio.Event()
    desk.alert()
    desk.close()
    await desk.notifier.deliver_due(desk.clock())
    await desk.receiver().until_sent(1)
    await desk.notifier.stop(0)
    assert desk.deliveries()[0].in_flight
    desk.receiver().gate = None
    desk.restart()
    await desk.turn()
    assert len(set(desk.receiver().ids)) == 1
    assert len(desk.events(ev.DeliveryUnknown)) == 1
    assert desk.deliveries()[0].state == "delivered"


@pytest.mark.parametrize(
    ("action", "state", "then"),
    [("retry", "failed", "pending"), ("release", "held", "pending"), ("discard", "failed", "discarded")],
)
async def test_a_person_decides_about_what_is_stuck(action: str, state: str, then: str):
    desk = Desk(book(outbox(on_unknown=OnUnknown.HOLD)))
    how = {"failed": failed("no", permanent=True), "held": UNKNOWN}
    desk.receiver().outcomes = [how[state]]
    desk.alert()
    await desk.turn()
    row = desk.deliveries()[0]
    assert row.state == state
    assert change_deliveries(desk.store, action, [row.delivery_id], actor="ann") == [row.delivery_id]
    assert desk.deliveries()[0].state == then


def test_the_next_wakeup_is_the_next_slot():
    desk = Desk(book(outbox("desk", schedule=DAILY)))
    assert desk.notifier.next_wakeup(desk.clock()) == datetime(2026, 3, 3, 6, 0, tzinfo=UTC)


async def test_a_test_message_goes_to_every_address_past_the_log():
    desk = Desk(book(outbox("desk", target=Email(("a@example.org", "b@example.org")))))
    desk.receiver("desk").outcomes = [DELIVERED, failed("550 no such user", permanent=True)]
    desk.close()
    head = desk.store.head()
    outcomes = await desk.notifier.send_trial("desk")
    assert [(recipient, outcome.detail) for recipient, outcome in outcomes] == [
        ("a@example.org", "ok"),
        ("b@example.org", "550 no such user"),
    ]
    assert digests.decode(desk.receiver("desk").sent[0].content).test
    assert desk.store.head() == head


def test_a_receiver_that_is_not_there_is_named_with_those_that_are():
    desk = Desk(book(outbox("desk")))
    with pytest.raises(NotFound, match="no receiver is called 'dsk'; known: desk"):
        desk.composer.preview("dsk", desk.clock())
    with pytest.raises(NotFound, match="no digest has the id 'dig-x'"):
        desk.composer.rebuild("dig-x")


def test_acts_on_deliveries_say_what_does_not_fit():
    desk = Desk()
    desk.alert()
    desk.close()
    (row,) = desk.deliveries()
    for action, ids, everything, words in (
        ("resend", ["x"], False, "'resend' is not one of retry, release, discard"),
        ("retry", [], False, "which deliveries"),
        ("retry", ["x"], True, "give ids or --all, not both"),
        ("retry", ["x"], False, "no delivery has the id 'x'"),
        ("release", [row.delivery_id], False, "is pending; release is for held ones"),
    ):
        with pytest.raises(MonitorError, match=words):
            change_deliveries(desk.store, action, ids, everything=everything)
    assert change_deliveries(desk.store, "retry", (), everything=True) == []
    assert change_deliveries(desk.store, "discard", [row.delivery_id]) == [row.delivery_id]


def test_long_stretches_without_anything_for_a_receiver_are_put_on_record():
    routes = [Route(to=("rare",), at_least=Severity.CRITICAL), Route(to=("file",))]
    desk = Desk(book(outbox("rare"), outbox("file"), routes=routes, operator=["file"]))
    desk.alert("Not for the rare one")
    desk.append("system", *[ev.ClockAnomaly(before=desk.clock(), after=desk.clock(), step_seconds=0)] * FAR)
    desk.close()
    desk.close()
    (passed,) = [closed for closed in desk.events(ev.WindowClosed) if closed.receiver == "rare"]
    assert passed.upto >= FAR
    desk.restart()
    desk.alert("A crane fell", severity=Severity.CRITICAL)
    desk.close()
    assert [titles(composed) for composed in desk.digests("rare")] == [["A crane fell"]]
    again = digests.encode(desk.composer.rebuild(desk.digests("rare")[0].digest_id)[1])
    assert again == (desk.digests("rare")[0].content, desk.digests("rare")[0].content_hash)


async def test_an_operator_hears_within_a_minute_of_what_a_person_must_mend():
    desk = Desk(book(outbox("duty"), outbox("file"), routes=[Route(to=("duty",))], operator=["file"]))
    desk.receiver("duty").outcomes = [failed("HTTP 410", receiver_gone=True)]
    desk.alert("A crane fell")
    await desk.turn()
    desk.clock.advance(minutes=1)
    await desk.turn()
    (told,) = desk.digests("file")
    assert [(note.kind, note.subject) for note in digests.decode(told.content).notices] == [
        ("DeliveryFailed", "duty (state/duty)"),
        ("ReceiverHeld", "duty"),
    ]
    await desk.turn()
    assert len(desk.digests()) == 2


async def test_an_operator_hears_of_an_address_that_did_not_get_what_the_others_got():
    desk = Desk(book(outbox("duty"), outbox("file"), routes=[Route(to=("duty",))], operator=["file", "duty"]))
    desk.receiver("duty").outcomes = [
        Outcome(state=Result.DELIVERED, detail="250 ok", refused=("b@example.org: 550 no such user",))
    ]
    desk.alert("A crane fell")
    for _ in range(4):
        await desk.turn()
        desk.clock.advance(minutes=1)
    words = "b@example.org: 550 no such user"
    # the others of the same receiver can hear of it: they are not deaf
    for name in ("file", "duty"):
        told = [note for composed in desk.digests(name) for note in digests.decode(composed.content).notices]
        assert [(note.kind, note.subject, note.detail) for note in told] == [
            ("DeliveryIncomplete", "duty (state/duty)", words)
        ]
    assert len(desk.digests()) == 3, "and what happens to the message about it makes no further one"
    row = next(desk.store.rows(views.DELIVERIES))
    assert (row.state, row.last_error) == ("delivered", words)
    assert [type(one.event).__name__ for one in desk.store.read(0, stream=f"delivery/{row.delivery_id}")] == [
        "DeliveryAttempted", "DigestDelivered", "DeliveryIncomplete",
    ]  # fmt: skip


async def test_a_source_that_fails_is_told_with_the_next_message_only():
    desk = Desk()
    desk.append("source/a", ev.SourceAdded(source_id="a", kind="feed", location="https://a.example.org/"))
    desk.append("source/a", ev.SourceFailed(source_id="a", reason="HTTP 503"))
    await desk.turn()
    assert not desk.digests()
    desk.alert()
    await desk.turn()
    assert [note.kind for note in digests.decode(desk.digests()[0].content).notices] == ["SourceFailed"]


def refuse(desk: Desk, *faults: str) -> None:
    desk.append("rulebook", ev.RuleBookRefused(revision="r", faults=faults))


def notes(composed: ev.DigestComposed) -> list[str]:
    return [note.detail for note in digests.decode(composed.content).notices]


async def test_refused_rules_are_told_to_the_operator_once_nobody_saves_any_more():
    desk = Desk()
    for number in range(8):  # one saves and saves, and it is never quite right
        refuse(desk, f"themes/x.yaml:{number}:1: no", "themes/x.yaml:9:1: no")
        assert desk.close() == 0
        wakeup = desk.notifier.next_wakeup(desk.clock())
        assert wakeup == desk.clock() + timedelta(minutes=1)
        desk.clock.advance(seconds=59)
    assert desk.close() == 0
    desk.clock.advance(seconds=1)
    assert desk.close() == 1
    assert list(map(notes, desk.digests())) == [["themes/x.yaml:7:1: no (+1 more)"]]
    desk.clock.advance(hours=1)
    assert desk.close() == 0


async def test_a_refusal_that_the_next_save_mends_is_told_to_nobody():
    desk = Desk(book(outbox(always=True)))
    refuse(desk, "themes/x.yaml:1:1: no")
    desk.close()
    desk.append("rulebook", ev.RuleBookAdopted(revision="s", changed={}, removed=()))
    desk.clock.advance(minutes=2)
    assert desk.close() == 0
    desk.alert("A crane fell")
    desk.close()
    assert list(map(notes, desk.digests())) == [[]]
    refuse(desk, "themes/x.yaml:2:1: no")
    desk.clock.advance(minutes=1)
    desk.close()
    assert notes(desk.digests()[-1]) == ["themes/x.yaml:2:1: no"]
    for composed in desk.digests():
        stored, again = desk.composer.rebuild(composed.digest_id)
        assert stored.content == digests.encode(again)[0]


async def test_notices_that_never_end_are_told_after_ten_minutes():
    desk = Desk()
    for _ in range(21):
        refuse(desk, "themes/x.yaml:1:1: no")
        desk.close()
        desk.clock.advance(seconds=30)
    assert len(desk.digests()) == 1


async def test_notices_come_with_the_next_alert_without_a_wait_of_their_own():
    desk = Desk()
    refuse(desk, "themes/x.yaml:1:1: no")
    desk.alert("A crane fell")
    desk.close()
    assert list(map(notes, desk.digests())) == [["themes/x.yaml:1:1: no"]]


async def test_two_deaf_operators_do_not_tell_each_other_for_ever():
    desk = Desk(book(outbox("a"), outbox("b"), routes=[Route(to=("a",))], operator=["a", "b"]))
    for name in ("a", "b"):
        desk.receiver(name).outcomes = [failed("550 no such user", permanent=True)]
    desk.alert()
    for _ in range(6):
        await desk.turn()
        desk.clock.advance(minutes=1)
    assert [composed.receiver for composed in desk.digests()] == ["a", "b"]


def test_an_alert_whose_raising_was_erased_holds_up_no_window():
    desk = Desk()
    desk.alert("To be forgotten")
    raised = next(recorded.position for recorded in desk.store.read(types=["AlertRaised"]))
    desk.alert("To be told")
    desk.store.erase([raised], "asked for")
    desk.close()
    assert [titles(composed) for composed in desk.digests()] == [["To be told"]]


def test_an_erased_entry_leaves_its_alert_without_words():
    desk = Desk()
    desk.alert("To be forgotten", text="The crane of a person")
    mine = [recorded.position for recorded in desk.store.read(types=["EntryObserved", "EntryMatched"])]
    desk.store.erase(mine, "asked for")
    desk.close()
    assert "of a person" not in desk.digests()[0].content
