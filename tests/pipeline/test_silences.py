"""Silences over the memory store: what is hidden, counted, ended; and alerts that close and come up again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.core import digests, views
from monitor.core import events as ev
from monitor.core.alerts import Candidate, alert_id, decide
from monitor.core.entries import Arrival
from monitor.core.schedule import Every
from monitor.errors import NotFound, UsageError
from monitor.matching.model import Mode, RuleMatch, Severity, ThemeMatch
from monitor.pipeline.notify import FAR
from monitor.pipeline.silencing import Matchers, add_silence, expire_silence, preview, silence_of
from tests.pipeline.desk import THEME, TITLE, Desk, book, outbox

HOUR = timedelta(hours=1)
THEME_MATCHERS = Matchers(theme=THEME)


class Room(Desk):
    """A desk whose alerts are decided as `detect` decides them: by open alerts and silences."""

    def found(
        self, story: str = "sto-1", *, rules: tuple[str, ...] = ("stop",), severity: Severity = Severity.MEDIUM
    ) -> ev.Event:
        """An entry of this story met rules; what came of it."""
        number = next(self._numbers)
        met = tuple(RuleMatch(rule=rule, severity=severity, when="crane", evidence=()) for rule in rules)
        match = ThemeMatch(theme=THEME, title=TITLE, mode=Mode.LIVE, severity=severity, rules=met)
        entry = Candidate(f"ent-{number}", "port-news", f"Crane number {number}", 1, Arrival.NEW, story)
        key = alert_id(THEME, story)
        silence = silence_of(self.store, match, entry, self.clock())
        event = decide(match, entry, self.store.get(views.ALERTS, key), silence=silence)
        self.append(
            f"story/{story}",
            ev.StoryStarted(
                story_id=story, entry_id=entry.entry_id, source_id="port-news", title=entry.title, seen=self.clock()
            ),
        )
        if not isinstance(event, ev.AlertSuppressed):
            self.append(f"alert/{key}", event)
        return event

    def silence(self, matchers: Matchers = THEME_MATCHERS, *, hours: float = 8) -> str:
        until = self.clock() + timedelta(hours=hours)
        return add_silence(self.store, matchers, until, "known since Monday", now=self.clock(), actor="ann")

    def state(self, story: str = "sto-1") -> str:
        row = self.store.get(views.ALERTS, alert_id(THEME, story))
        assert row is not None
        return row.state

    def last(self, receiver: str = "file") -> digests.Digest:
        return digests.decode(self.digests(receiver)[-1].content)


@pytest.fixture
def room() -> Room:
    room = Room()
    room.alert("So that the theme is known", theme=THEME)
    room.close()
    return room


def _is_copy(event: ev.Event) -> bool:
    return isinstance(event, ev.AlertGrouped) and event.reason == ev.AlertReason.COPY


def omitted(digest: digests.Digest) -> digests.Omitted:
    assert digest.omitted, "something was left out"
    return digest.omitted


def test_an_alert_under_a_silence_is_kept_counted_and_not_sent(room: Room) -> None:
    silence = room.silence()
    before = len(room.digests())
    for story in ("sto-1", "sto-2"):
        assert isinstance(room.found(story), ev.AlertRaised)
    assert room.state() == "silenced"
    assert room.close() == 0
    assert len(room.digests()) == before
    row = room.store.get(views.SILENCES, silence)
    assert row is not None
    assert (row.hidden, row.actor, row.reason, row.state) == (2, "ann", "known since Monday", "active")
    expire_silence(room.store, silence, actor="ann")
    room.found("sto-3")
    room.close()
    assert omitted(room.last()).silenced == 2
    assert len(room.last().stories) == 1


def test_what_was_counted_is_not_counted_again(room: Room) -> None:
    silence = room.silence()
    room.found("sto-1")
    expire_silence(room.store, silence, actor="ann")
    for story in ("sto-2", "sto-3"):
        room.found(story)
        room.close()
    assert not room.last().omitted


def test_what_a_window_without_a_digest_left_out_is_counted_in_the_next_digest() -> None:
    room = Room(book(outbox("desk", schedule=Every(HOUR))))
    room.alert("So that the theme is known")
    room.silence(hours=3)
    room.clock.advance(hours=1)
    room.close()
    told = len(room.digests())
    for hour in range(2):
        room.found(f"sto-{hour}")
        room.clock.advance(hours=1)
        room.close()
    assert len(room.digests()) == told
    room.clock.advance(hours=1)
    room.found("sto-9")
    room.clock.advance(hours=1)
    room.close()
    assert omitted(room.last("desk")).silenced == 2
    composed = room.digests()[-1]
    room.found("sto-10")
    assert digests.encode(room.composer.rebuild(composed.digest_id)[1])[0] == composed.content
    room.restart()
    assert digests.encode(room.composer.rebuild(composed.digest_id)[1])[0] == composed.content


def test_an_immediate_receiver_hears_of_silenced_alerts_with_its_next_message(room: Room) -> None:
    silence = room.silence(Matchers(at_most=Severity.MEDIUM))
    room.found("sto-1")
    room.found("sto-2", severity=Severity.HIGH)
    room.close()
    assert omitted(room.last()).silenced == 1
    assert [story.alerts[0].severity for story in room.last().stories] == ["high"]
    assert room.store.get(views.SILENCES, silence).hidden == 1  # type: ignore[union-attr]


def test_a_silence_ends_when_its_time_is_up_and_that_is_on_record(room: Room) -> None:
    silence = room.silence(hours=8)
    room.clock.advance(hours=7.9)
    room.close()
    assert not room.events(ev.SilenceExpired)
    room.clock.advance(hours=0.1)
    room.close()
    room.close()
    assert room.events(ev.SilenceExpired) == [ev.SilenceExpired(silence_id=silence, reason="time")]
    assert isinstance(room.found("sto-1"), ev.AlertRaised)
    assert room.state() == "open"


def test_after_downtime_a_silence_hides_nothing_seen_after_its_end(room: Room) -> None:
    room.silence(hours=8)
    room.clock.advance(days=2)
    room.found("sto-1")  # before the daemon put the end on record
    assert room.state() == "open"


def test_a_silenced_alert_comes_up_with_the_next_entry_after_the_silence(room: Room) -> None:
    silence = room.silence()
    room.found("sto-1")
    assert _is_copy(room.found("sto-1"))
    more = room.found("sto-1", severity=Severity.CRITICAL)
    assert isinstance(more, ev.AlertGrouped)
    assert room.state() == "silenced"
    assert room.close() == 0
    expire_silence(room.store, silence, actor="ann")
    again = room.found("sto-1")
    assert isinstance(again, ev.AlertReopened)
    assert again.reason == ev.AlertReason.REVIVED
    assert room.state() == "open"
    assert room.close() == 1


def test_what_comes_to_an_open_alert_under_a_silence_is_not_sent(room: Room) -> None:
    room.found("sto-1")
    room.close()
    room.silence()
    more = room.found("sto-1", severity=Severity.HIGH)
    assert isinstance(more, ev.AlertGrouped)
    assert room.state() == "open"
    assert room.close() == 0


def test_an_acknowledged_alert_reopens_silenced_under_a_silence(room: Room) -> None:
    room.found("sto-1")
    room.close()
    room.append(f"alert/{alert_id(THEME, 'sto-1')}", ev.AlertAcknowledged(alert_id=alert_id(THEME, "sto-1")))
    room.silence()
    assert isinstance(room.found("sto-1", severity=Severity.HIGH), ev.AlertReopened)
    assert room.state() == "silenced"
    assert room.close() == 0


def test_ending_a_silence_twice_changes_nothing(room: Room) -> None:
    silence = room.silence()
    assert expire_silence(room.store, silence, actor="ann")
    assert not expire_silence(room.store, silence, actor="ann")
    assert len(room.events(ev.SilenceExpired)) == 1
    with pytest.raises(NotFound, match="no silence has the id 'sil-x'"):
        expire_silence(room.store, "sil-x", actor="ann")


@pytest.mark.parametrize(
    ("matchers", "words"),
    [
        (Matchers(), "would silence everything"),
        (Matchers(theme="no-such"), "there is no theme 'no-such'"),
        (Matchers(source="no-such"), "there is no source 'no-such'"),
        (Matchers(rule=""), "1 to 200 characters"),
    ],
)
def test_a_silence_that_would_hide_all_or_nothing_is_refused(room: Room, matchers: Matchers, words: str) -> None:
    with pytest.raises((UsageError, NotFound), match=words):
        room.silence(matchers)
    with pytest.raises((UsageError, NotFound), match=words):
        list(preview(room.store, matchers, room.clock(), room.clock()))


def test_a_silence_needs_a_reason_and_an_end(room: Room) -> None:
    now = room.clock()
    for until, reason, words in (
        (now + HOUR, " \n", "needs a reason"),
        (now, "why", "ends after now"),
        (now + timedelta(days=367), "why", "within 366 days"),
    ):
        with pytest.raises(UsageError, match=words):
            add_silence(room.store, THEME_MATCHERS, until, reason, now=now, actor="ann")


def test_a_preview_says_what_a_silence_would_have_hidden(room: Room) -> None:
    room.clock.advance(days=10)
    room.found("sto-1", severity=Severity.LOW)
    room.clock.advance(days=1)
    room.found("sto-1", severity=Severity.HIGH)
    since = room.clock() - timedelta(days=7)
    found = list(preview(room.store, Matchers(theme=THEME), since, room.clock()))
    assert [(one.alert.alert_id, one.severity) for one in found] == [
        (alert_id(THEME, "sto-1"), "low"),
        (alert_id(THEME, "sto-1"), "high"),
    ]
    low = list(preview(room.store, Matchers(at_most=Severity.LOW), since, room.clock()))
    assert [one.severity for one in low] == ["low"]
    assert not list(preview(room.store, Matchers(rule="other"), since, room.clock()))


def test_long_stretches_of_silenced_alerts_are_put_on_record_and_counted_later(room: Room) -> None:
    silence = room.silence(hours=24)
    room.found("sto-1")
    room.append("system", *[ev.ClockAnomaly(before=room.clock(), after=room.clock(), step_seconds=0)] * FAR)
    before = len(room.events(ev.WindowClosed))
    assert room.close() == 0
    assert room.close() == 0
    assert len(room.events(ev.WindowClosed)) == before + 1
    room.restart()
    expire_silence(room.store, silence, actor="ann")
    room.found("sto-2")
    room.close()
    assert omitted(room.last()).silenced == 1
    composed = room.digests()[-1]
    assert digests.encode(room.composer.rebuild(composed.digest_id)[1])[0] == composed.content


# --- closing


def test_an_alert_closes_when_its_story_was_quiet_for_long_and_is_revived_by_the_next_entry(room: Room) -> None:
    room.found("sto-1")
    room.clock.advance(days=6)
    assert _is_copy(room.found("sto-1"))  # nothing to say, but not quiet
    room.clock.advance(days=6)
    room.close()
    assert room.state() == "open"
    room.clock.advance(days=1)
    room.close()
    room.close()
    closed = [event for event in room.events(ev.AlertClosed) if event.alert_id == alert_id(THEME, "sto-1")]
    assert closed == [ev.AlertClosed(alert_id=alert_id(THEME, "sto-1"), reason="quiet")]
    assert room.state() == "closed"
    again = room.found("sto-1")
    assert isinstance(again, ev.AlertReopened)
    assert again.reason == ev.AlertReason.REVIVED
    room.close()
    assert room.last().stories[0].alerts[0].news == ("revived",)


def test_close_after_is_the_themes_own_and_zero_is_never(room: Room) -> None:
    room.close_after = {THEME: timedelta(hours=2)}
    room.adopt(book(outbox()))
    room.found("sto-1")
    room.clock.advance(hours=2)
    room.close()
    assert room.state() == "closed"
    room.close_after = {THEME: timedelta(0)}
    room.adopt(book(outbox()))
    room.found("sto-2")
    room.clock.advance(days=300)
    room.close()
    assert room.state("sto-2") == "open"


def test_an_acknowledged_alert_closes_as_well_and_a_restart_forgets_none(room: Room) -> None:
    room.found("sto-1")
    room.append(f"alert/{alert_id(THEME, 'sto-1')}", ev.AlertAcknowledged(alert_id=alert_id(THEME, "sto-1")))
    room.clock.advance(days=5)
    room.close()
    room.restart()
    room.clock.advance(days=2)
    room.close()
    assert room.state() == "closed"


def test_many_alerts_close_at_once(room: Room) -> None:
    for number in range(450):
        room.found(f"sto-{number}")
    room.clock.advance(days=8)
    room.close()
    assert len(room.events(ev.AlertClosed)) == 451
    assert not list(room.store.rows(views.OPEN_ALERTS))
