"""What passing time does: silences end, quiet alerts close, reminders fall due, failing receivers are told of."""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta

from monitor.core import events as ev
from monitor.core import silences, views
from monitor.core.alerts import closes_at, reminder_due
from monitor.core.deliveries import fails_for_long
from monitor.core.routing import Configuration, Receiver
from monitor.errors import WrongVersion
from monitor.pipeline.gather import Timeline
from monitor.pipeline.silencing import ACTIVE, over
from monitor.ports import Commit, EventStore

CLOSE_AFTER = timedelta(days=7)
"""For alerts of a theme that is no longer in the rules."""

BATCH = 200
MINUTE = timedelta(minutes=1)

MOST_LOOKS = 2000
"""So many alerts are looked at in one step, so that windows never wait for long; the others come in the next."""

CLOSING = ""
"""In place of a receiver's name: the alert closes."""


class Elapsed:
    """Keeps, for every alert that is not closed, when to look at it next. Methods block; one caller at a time."""

    def __init__(self, store: EventStore, timeline: Timeline) -> None:
        self._store = store
        self._timeline = timeline
        self._configuration: Configuration | None = None
        self._shortest = CLOSE_AFTER
        self._seen = 0
        self._looked_at_deliveries: datetime | None = None
        self._due: list[tuple[datetime, str, str]] = []  # (not before, alert, receiver or CLOSING)

    def step(self, now: datetime) -> None:
        """Put on record what is due at `now`."""
        ended = silences.overdue(self._store.rows(views.SILENCES, facet=ACTIVE), now)
        if ended:
            self._store.append(Commit(events=tuple(over(row.silence_id, "time") for row in ended)))
        if self._looked_at_deliveries is None or not timedelta(0) <= now - self._looked_at_deliveries < MINUTE:
            self._look_at_deliveries(now)
            self._looked_at_deliveries = now
        self._follow()
        looks = MOST_LOOKS
        try:
            while looks > 0 and self._due and self._due[0][0] <= now:
                looks -= self._look_at_some(now)
        except WrongVersion:
            self._configuration = None  # someone else was at one of these alerts: begin anew at the next step
        except BaseException:
            self._configuration = None
            raise

    def _look_at_deliveries(self, now: datetime) -> None:
        """Say which receivers could not be reached for long, and which can be again."""
        found: dict[str, str] = {}
        outbox = self._store.get(views.OUTBOX, views.CURRENT)
        if outbox is not None and outbox.held:
            return  # nothing is tried at all, of which the operator knows
        for row in self._store.rows(views.DELIVERIES, facet="pending"):
            digest = self._store.get(views.DIGESTS, row.digest_id) if row.attempts else None
            if digest is not None and fails_for_long(row, digest.composed_at, now):
                found.setdefault(row.receiver, f"{row.recipient}: {row.last_error}")
        events: list[ev.NewEvent] = []
        for known in self._store.rows(views.RECEIVERS):
            name = known.receiver
            event: ev.Event | None = None
            if known.failing is None and name in found:
                event = ev.ReceiverFailing(receiver=name, error=found[name])
            elif known.failing is not None and name not in found:
                event = ev.ReceiverRecovered(receiver=name)
            if event is not None:
                events.append(ev.NewEvent(stream=f"receiver/{name}", event=event))
        if events:
            self._store.append(Commit(events=tuple(events)))

    def _follow(self) -> None:
        """Take in what became of alerts since the last step; all of them where the configuration changed."""
        configuration, head = self._timeline.current(), self._store.head().position
        if configuration is not self._configuration:
            self._due.clear()
            self._configuration = configuration
            periods = [CLOSE_AFTER, *configuration.close_after.values()]
            self._shortest = min(period for period in periods if period)
            for row in self._store.rows(views.OPEN_ALERTS):
                self._expect(configuration, row.alert_id, row.since)
        elif head > self._seen:
            for told in self._store.rows(views.ALERT_EVENTS, after=self._seen, upto=head):
                if told.receiver is None:
                    self._expect(configuration, told.alert_id, told.recorded_at)
        self._seen = head

    def _expect(self, configuration: Configuration, alert_id: str, since: datetime) -> None:
        heapq.heappush(self._due, (since + self._shortest, alert_id, CLOSING))  # its own theme may have it later
        for receiver in configuration.book.receivers:
            if receiver.repeat is not None:
                heapq.heappush(self._due, (since + receiver.repeat, alert_id, receiver.name))

    def _look_at_some(self, now: datetime) -> int:
        """One commit's worth of what is due; an alert stands in it once. Returns how many were looked at."""
        looks = 0
        events: list[ev.NewEvent] = []
        versions: dict[str, int] = {}
        assert self._configuration is not None, "it was followed"
        while self._due and self._due[0][0] <= now and len(events) < BATCH and looks < MOST_LOOKS:
            _, alert_id, name = self._due[0]
            stream = f"alert/{alert_id}"
            if stream in versions:
                break
            heapq.heappop(self._due)
            looks += 1
            version = self._store.version(stream)
            event = self._close(alert_id, now) if name == CLOSING else self._remind(alert_id, name, now)
            if isinstance(event, datetime):
                heapq.heappush(self._due, (event, alert_id, name))
            elif event is not None:
                events.append(ev.NewEvent(stream=stream, event=event))
                versions[stream] = version
                if name != CLOSING:
                    receiver = self._configuration.book.receiver(name)
                    assert receiver is not None and receiver.repeat is not None, "it was reminded"
                    heapq.heappush(self._due, (now + receiver.repeat, alert_id, name))
        if events:
            self._store.append(Commit(events=tuple(events), expected=versions))
        return looks

    def _close(self, alert_id: str, now: datetime) -> ev.Event | datetime | None:
        """The event, or when to look again, or None for never."""
        row, alert = self._store.get(views.OPEN_ALERTS, alert_id), self._store.get(views.ALERTS, alert_id)
        if row is None or alert is None or self._configuration is None:
            return None
        close_after = self._configuration.close_after.get(alert.theme, CLOSE_AFTER)
        if not close_after:  # never by itself
            return None
        story = self._store.get(views.STORIES, alert.story_id)
        due = closes_at(row.since, story.last_seen if story else None, close_after)
        return due if due > now else ev.AlertClosed(alert_id=alert_id, reason="quiet")

    def _remind(self, alert_id: str, name: str, now: datetime) -> ev.Event | datetime | None:
        configuration, alert = self._configuration, self._store.get(views.ALERTS, alert_id)
        receiver = configuration.book.receiver(name) if configuration else None
        known = self._store.get(views.RECEIVERS, name)
        if configuration is None or receiver is None or receiver.repeat is None or alert is None:
            return None
        if alert.state != "open" or known is None or alert.position <= known.added:
            return None
        rule_changed = alert.reason == ev.AlertReason.RULE_CHANGED
        if name not in configuration.addressees(alert.theme, alert.severity, rule_changed=rule_changed):
            return None
        history = self._store.read(stream=f"alert/{alert_id}")
        found = reminder_due(history, name, receiver.repeat, receiver.repeat_max)
        if found is None:
            return None
        due, number = found
        later = max(due, self._quiet_until(receiver, alert, now), self._silent_until(alert, now))
        if later > now:
            return later
        return ev.AlertReminded(
            alert_id=alert_id, entry_id=alert.entry_ids[-1], receiver=name, severity=alert.severity, number=number
        )

    @staticmethod
    def _quiet_until(receiver: Receiver, alert: views.AlertRow, now: datetime) -> datetime:
        quiet = receiver.quiet
        span = quiet.hours.around(now) if quiet and not quiet.pierced_by(alert.severity) else None
        return span[1] if span else now

    def _silent_until(self, alert: views.AlertRow, now: datetime) -> datetime:
        rows = list(self._store.rows(views.SILENCES, facet=ACTIVE))
        ends = [
            row.until
            for row in rows
            if any(silences.fits(row, alert.theme, source, alert.rules, alert.severity) for source in alert.sources)
        ]
        return max(ends, default=now)
