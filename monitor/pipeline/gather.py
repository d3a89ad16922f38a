"""Reads from the log what a window holds, as things stood at its last position. Later events change nothing of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from threading import Lock
from typing import get_args

from msgspec import UNSET

from monitor.core import digests, views
from monitor.core import events as ev
from monitor.core.routing import Configuration, Receiver
from monitor.core.windows import Contents, Routed, divide
from monitor.pipeline.adopt import CONFIGURATION_STREAM, RULES_STREAM
from monitor.ports import EventStore, Row

Configure = Callable[[views.BookRow | None, views.BookRow | None], Configuration]
"""(rule book row, configuration row) -> what they mean. Pure, and called once per pair of revisions; both texts were
sound when they were adopted. None: nothing was adopted yet.
"""

_SourceTurn = ev.SourceAdded | ev.SourceRemoved | ev.SourceFailed | ev.SourceRecovered | ev.SourceMoved | ev.SourceGone
_SOURCE_TURNS = tuple(turn.__name__ for turn in get_args(_SourceTurn))


KEPT = 64  # configurations remembered
_BOOKS = {RULES_STREAM: views.RULE_BOOK, CONFIGURATION_STREAM: views.CONFIGURATION}


class Timeline:
    """Which receivers, routes and themes were in force at any position of the log."""

    def __init__(self, store: EventStore, configure: Configure) -> None:
        self._store = store
        self._configure = configure
        self._known: dict[tuple[str, str], Configuration] = {}
        self._compiling = Lock()
        self._rows: dict[str, tuple[int, views.BookRow | None]] = {}

    def current(self) -> Configuration:
        """What is in force now."""
        return self._compiled(*(self._row(stream) for stream in _BOOKS))

    def at(self, position: int) -> Configuration:
        """What was in force just after the event at `position`."""
        return self._compiled(*(self._row_at(stream, position) for stream in _BOOKS))

    def within(self, after: int, upto: int) -> Callable[[int], Configuration]:
        """A look-up for positions in (after, upto]: an alert is routed by what was in force when it was raised."""
        changes = [
            recorded.position
            for stream in _BOOKS
            if (row := self._row(stream)) is not None and row.position > after
            for recorded in self._store.read(after, upto=upto, stream=stream)
        ]
        starts = [after, *sorted(changes)]
        segments = [self.at(start) for start in starts]
        return lambda position: segments[bisect_right(starts, position) - 1]

    def _row(self, stream: str) -> views.BookRow | None:
        """The row in force now. It holds whole files, so it is read only where its stream went on."""
        version = self._store.version(stream)
        known = self._rows.get(stream)
        if known is None or known[0] != version:
            known = self._rows[stream] = version, self._store.get(_BOOKS[stream], views.CURRENT)
        return known[1]

    def _row_at(self, stream: str, position: int) -> views.BookRow | None:
        row = self._row(stream)
        if row is None or row.position <= position:
            return row
        return _fold_at(self._store, _BOOKS[stream], views.CURRENT, stream, position)

    def _compiled(self, rules: views.BookRow | None, configuration: views.BookRow | None) -> Configuration:
        key = (rules.revision if rules else "", configuration.revision if configuration else "")
        with self._compiling:  # those who send ask too, each from a thread of its own
            if key not in self._known:
                while len(self._known) >= KEPT:
                    del self._known[next(iter(self._known))]
                self._known[key] = self._configure(rules, configuration)
            return self._known[key]


URGENT = frozenset(
    {
        "DeliveryFailed",
        "DeliveryUnknown",
        "DeliveryIncomplete",
        "ReceiverFailing",
        "ReceiverHeld",
        "OutboxHeld",
        "RuleBookRefused",
        "RuleChangeFailed",
        "ConfigurationRefused",
    }
)
"""Notices that a person must act on. A source that fails is told with the next message."""

_EDITS = {"RuleBookRefused": RULES_STREAM, "ConfigurationRefused": CONFIGURATION_STREAM}


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of log (after, upto] that one digest of a receiver is about."""

    window_id: str
    receiver: str
    after: int
    upto: int
    since: datetime
    due: datetime
    unmatched: int
    mode: ev.WindowMode = ev.WindowMode.WHOLE
    carried: int | None = None  # behind this position lies what its windows before left out, and no digest told yet
    before: int | None = None  # where those windows end in the log; None: at its end


@dataclass(frozen=True, slots=True)
class _Carried:
    """What past windows hand on to the next digest."""

    left_out: list[Routed]
    deferred: list[views.AlertEventRow]
    notices: list[views.NoticeRow]


class Gatherer:
    """Composes digests from the log. Methods block; one caller at a time."""

    def __init__(self, store: EventStore, timeline: Timeline) -> None:
        self._store = store
        self._timeline = timeline
        self._identity_of = lru_cache(maxsize=100_000)(self._read_identity)

    def routed(self, receiver: str, after: int, upto: int) -> Iterator[Routed]:
        """The alert events with position in (after, upto] that routes lead to this receiver, in order."""
        if upto <= after:
            return
        in_force = self._timeline.within(after, upto)
        for row in self._store.rows(views.ALERT_EVENTS, after=after, upto=upto):
            identity = self._identity_of(row.alert_id)
            if identity is None:
                continue
            configuration = in_force(row.position)
            rule_changed = row.reason == ev.AlertReason.RULE_CHANGED
            if row.receiver is None:
                addressees = configuration.addressees(identity[0], row.severity, rule_changed=rule_changed)
            else:
                addressees = (row.receiver,)
            known = configuration.book.receiver(receiver) if receiver in addressees else None
            if known is not None:
                yield Routed(row, known.fate(row.severity, row.recorded_at, row.silence))

    def contents(self, window: Window, routed: Iterable[Routed] | None = None) -> Contents:
        """The alert events of a window. `routed`: what `routed` says of it, where it is known already."""
        if routed is None:
            routed = self.routed(window.receiver, window.after, window.upto)
        return self._divided(window.receiver, window.mode, window.upto, routed)

    def compose(self, window: Window, routed: Iterable[Routed] | None = None) -> digests.Digest:
        """The digest of a window; `empty` where there is nothing to say. The same at any later time. `routed` as in
        `contents`.
        """
        contents, earlier = self.contents(window, routed), self._carried(window)
        rows = [*(earlier.deferred if window.mode is ev.WindowMode.WHOLE else ()), *contents.told]
        configuration = self._timeline.at(window.upto)
        receiver = configuration.book.receiver(window.receiver)
        sections = digests.arrange(self._news(rows))
        detailed = {group.story_id for group in self._first(sections, digests.DETAILED)}
        covered = self.coverage(window.upto, window.unmatched)
        noted = [*earlier.notices, *self.notices_for(window.receiver, window.after, window.upto)]
        notices, more_notices = digests.listed_notices(map(self._notice, self.standing(noted, window.upto)), covered)
        return digests.Digest(
            digest_id=self.digest_id(window.window_id),
            window_id=window.window_id,
            receiver=window.receiver,
            window=digests.period(window.since, window.due),
            after=window.after,
            position=window.upto,
            head=self._store.at(window.upto).hash if window.upto else "",
            rules_revision=configuration.rules_revision,
            configuration_revision=configuration.revision,
            time_zone=zone_of(receiver, configuration),
            new=self._lines(sections.new, detailed, window.upto),
            already_there=self._lines(sections.already_there, detailed, window.upto),
            rule_changed=self._lines(sections.rule_changed, detailed, window.upto),
            unlisted=sections.unlisted,
            coverage=covered,
            notices=notices,
            more_notices=more_notices,
            omitted=self._omitted([*earlier.left_out, *contents.left_out], rows) or UNSET,
        )

    def digest_id(self, window_id: str) -> str:
        """The id of a window's digest in this log."""
        return digests.digest_id(self._store.at(1).hash, window_id)

    def _divided(self, receiver: str, mode: ev.WindowMode, upto: int, routed: Iterable[Routed]) -> Contents:
        known = self._timeline.at(upto).book.receiver(receiver)
        return divide(routed, mode, known.quiet if known else None)

    def notices_for(self, receiver: str, after: int, upto: int) -> list[views.NoticeRow]:
        """What an operator is told of positions (after, upto]; nothing where the receiver is none at `upto`."""
        if receiver not in self._timeline.at(upto).book.operator:
            return []
        return self.standing(self.notices(receiver, after, upto), upto)

    def standing(self, notices: Iterable[views.NoticeRow], upto: int) -> list[views.NoticeRow]:
        """Notices without the refusals that another edit has mended or replaced at `upto`."""
        return [row for row in notices if row.kind not in _EDITS or self._is_last(_EDITS[row.kind], row.position, upto)]

    def _is_last(self, stream: str, position: int, upto: int) -> bool:
        return next(self._store.read(position, upto=upto, stream=stream, limit=1), None) is None

    def _carried(self, window: Window) -> _Carried:
        """What the windows before left out or deferred, and no digest told yet."""
        found = _Carried([], [], [])
        if window.carried is None:
            return found
        stream = f"receiver/{window.receiver}"
        past = [one.event for one in self._store.read(window.carried, upto=window.before, stream=stream)]
        told = {event.window_id for event in past if isinstance(event, ev.DigestComposed)}
        for event in past:
            if not isinstance(event, ev.WindowClosed) or event.after < window.carried:
                continue
            if event.left_out or event.deferred:
                routed = self.routed(window.receiver, event.after, event.upto)
                contents = self._divided(window.receiver, event.mode, event.upto, routed)
                found.left_out.extend(contents.left_out)
                found.deferred.extend(contents.deferred)
                if event.window_id not in told:
                    found.notices.extend(self.notices_for(window.receiver, event.after, event.upto))
            if event.window_id in told:
                found.left_out.clear()
                found.notices.clear()
        return found

    def _omitted(self, left_out: list[Routed], told: Iterable[views.AlertEventRow]) -> digests.Omitted | None:
        themes = ((self._identity_of(one.row.alert_id), one) for one in left_out)
        named = [(identity[0], one) for identity, one in themes if identity is not None]
        return digests.omitted(named, {row.alert_id for row in told}, self._title_of)

    def _title_of(self, alert_id: str) -> str:
        row = self._store.get(views.ALERTS, alert_id)
        return row.title if row else "(erased)"

    def coverage(self, upto: int, unmatched: int) -> digests.Coverage:
        """How the sources stood at a position."""
        return digests.coverage(self._sources_at(upto), unmatched, self._timeline.at(upto).official)

    def _read_identity(self, alert_id: str) -> tuple[str, str] | None:
        """Theme and story of an alert: what never changes of it. None where its raising was erased."""
        row = self._store.get(views.ALERTS, alert_id)
        return (row.theme, row.story_id) if row else None

    def _news(self, rows: Iterable[views.AlertEventRow]) -> list[digests.AlertNews]:
        events: dict[str, list[views.AlertEventRow]] = {}
        for row in rows:
            events.setdefault(row.alert_id, []).append(row)
        return [
            digests.AlertNews(alert_id, *identity, tuple(events_of_it))
            for alert_id, events_of_it in events.items()
            if (identity := self._identity_of(alert_id)) is not None
        ]

    @staticmethod
    def _first(sections: digests.Sections, count: int) -> Iterator[digests.Group]:
        return islice((*sections.new, *sections.already_there, *sections.rule_changed), count)

    def _lines(self, groups: tuple[digests.Group, ...], detailed: set[str], upto: int) -> tuple[digests.StoryLine, ...]:
        return tuple(self._line(group, group.story_id in detailed, upto) for group in groups)

    def _line(self, group: digests.Group, detailed: bool, upto: int) -> digests.StoryLine:
        ids = [news.alert_id for news in group.alerts]
        folded = [_fold_at(self._store, views.ALERTS, alert_id, f"alert/{alert_id}", upto) for alert_id in ids]
        alerts = [alert for alert in folded if alert is not None]
        wanted = digests.entries_of(group, alerts)[: digests.ENTRIES_PER_STORY if detailed else 1]
        entries = [entry_at(self._store, entry_id, upto) for entry_id in wanted]
        return digests.story_line(group, alerts, entries, detailed=detailed)

    def notices(self, receiver: str, after: int, upto: int) -> Iterator[views.NoticeRow]:
        """Notices for an operator with position in (after, upto]."""
        for row in self._store.rows(views.NOTICES, after=after, upto=upto):
            delivery = self._delivery_of(row)
            # Not of its own deaf ear, of which it could never hear.
            about = delivery.receiver if delivery else row.subject if row.kind == "ReceiverFailing" else None
            if about != receiver or row.kind == "DeliveryIncomplete":
                yield row

    def _notice(self, row: views.NoticeRow) -> digests.Notice:
        delivery = self._delivery_of(row)
        return digests.notice(row, f"{delivery.receiver} ({delivery.recipient})" if delivery else row.subject)

    def urgent(self, row: views.NoticeRow) -> bool:
        """Whether a notice is worth a message of its own. What went wrong with a message of mere notices is not: two
        deaf operators would tell each other for ever.
        """
        if row.kind not in URGENT:
            return False
        delivery = self._delivery_of(row)
        digest = self._store.get(views.DIGESTS, delivery.digest_id) if delivery else None
        composed = self._store.at(digest.position).event if digest else None
        return not isinstance(composed, ev.DigestComposed) or bool(digests.decode(composed.content).stories)

    def _delivery_of(self, row: views.NoticeRow) -> views.DeliveryRow | None:
        return self._store.get(views.DELIVERIES, row.subject) if row.kind.startswith("Delivery") else None

    def _sources_at(self, upto: int) -> list[views.SourceRow]:
        rows: dict[str, views.SourceRow | None] = {row.id: row for row in self._store.rows(views.SOURCES)}
        # Read after the rows, so that whatever they hold beyond `upto` is seen here and taken back.
        later = {
            recorded.event.source_id
            for recorded in self._store.read(upto, types=_SOURCE_TURNS)
            if isinstance(recorded.event, _SourceTurn)
        }
        for source_id in later:
            rows[source_id] = _fold_at(self._store, views.SOURCES, source_id, f"source/{source_id}", upto)
        return [row for row in rows.values() if row is not None]


def entry_at(store: EventStore, entry_id: str, upto: int) -> digests.EntryFacts:
    """An entry with its texts and matches as they stood at a position."""
    row: views.EntryRow | None = None
    texts: dict[int, tuple[str, str]] = {}
    matches: dict[str, ev.EntryMatched] = {}
    for recorded in store.read(stream=f"entry/{entry_id}", upto=upto):
        match recorded.event:
            case ev.EntryObserved() as event:
                texts[1] = (event.title, event.text)
            case ev.EntryRevised() as event:
                texts[event.revision] = (event.title, event.text)
            case ev.EntryMatched() as event:
                matches[event.theme] = event
            case _:
                pass
        if entry_id in (views.ENTRIES.keys(recorded.event, recorded.position) if recorded.event else ()):
            row = views.ENTRIES.fold(row, recorded, entry_id)
    if row is None:  # its payload was erased
        return _erased(entry_id)
    return digests.EntryFacts(
        entry_id=entry_id, source_id=row.source_id, url=row.url, author=row.author, published=row.published,
        first_seen=row.first_seen, language=row.language, revision=row.revision, withdrawn=row.withdrawn,
        texts=texts, matches=matches,
    )  # fmt: skip


def unmatched(store: EventStore, checkpoint: int, upto: int) -> int:
    """How many entries and revisions up to a position are not held against the rules yet."""
    if checkpoint >= upto:
        return 0
    return sum(1 for _ in store.read(checkpoint, upto=upto, types=("EntryObserved", "EntryRevised")))


def zone_of(receiver: Receiver | None, configuration: Configuration) -> str:
    """The time zone in which a receiver reads dates: that of its schedule, else of its quiet hours, else of the
    settings.
    """
    zone = getattr(receiver.schedule, "time_zone", None) if receiver else None
    if zone is None and receiver is not None and receiver.quiet is not None:
        zone = receiver.quiet.hours.time_zone
    return zone or configuration.time_zone


def _erased(entry_id: str) -> digests.EntryFacts:
    return digests.EntryFacts(
        entry_id=entry_id, source_id="", url=None, author=None, published=None,
        first_seen=datetime.fromtimestamp(0, tz=UTC), language=None, revision=1, withdrawn=True,
        texts={1: ("(erased)", "")}, matches={},
    )  # fmt: skip


def _fold_at(store: EventStore, view: views.View[Row], key: str, stream: str, upto: int) -> Row | None:
    """A view's row as it stood at a position, folded from the stream that all its events are in."""
    row: Row | None = None
    for recorded in store.read(stream=stream, upto=upto):
        if recorded.event is not None and key in view.keys(recorded.event, recorded.position):
            row = view.fold(row, recorded, key)
    return row
