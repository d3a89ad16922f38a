"""Read models: pure folds of events into keyed rows.

A view says which keys an event touches and folds one row at a time, so that any store can keep it: in a dictionary,
or as
rows in SQL written in the transaction that appends the event. A row encodes to the same bytes wherever and whenever
it is folded.
Raise `version` when a fold or row changes; the store then rebuilds the view as a new generation and swaps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import msgspec
from msgspec.structs import replace

from monitor.core import events as ev
from monitor.matching.model import Severity

Row = TypeVar("Row", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class View(Generic[Row]):
    """A named fold. `facet` and `sort` are what lists filter and order by; `sort` is a log position."""

    name: str
    version: int
    row: type[Row]
    keys: Callable[[ev.Event, int], tuple[str, ...]]  # (event, its position) -> keys touched
    fold: Callable[[Row | None, ev.Recorded, str], Row | None]  # (row so far, event, key); None: the row goes
    sort: Callable[[Row], int]
    facet: Callable[[Row], str] = lambda row: ""


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """How a source is. State: ok | failing | gone | removed."""

    id: str
    kind: str
    location: str
    state: str
    last_error: str | None
    since: datetime
    entries: int
    position: int


class EntryRow(msgspec.Struct, frozen=True, kw_only=True):
    """An entry at its latest revision. The text stands in the log at `text_position`."""

    entry_id: str
    source_id: str
    raw_id: str | None
    url: str | None
    title: str
    author: str | None
    published: datetime | None
    updated: datetime | None
    first_seen: datetime
    language: str | None
    revision: int
    fingerprint: str
    arrival: str
    story_id: str | None
    themes: tuple[str, ...]
    withdrawn: bool
    position: int
    text_position: int


class StoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """Entries that tell the same thing. `independent`: its sources without those that only copy another."""

    story_id: str
    title: str
    entry_ids: tuple[str, ...]
    sources: tuple[str, ...]
    independent: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime
    position: int


class MarksRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of an entry's text. See `core.likeness`."""

    entry_id: str
    marks: bytes
    position: int


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as it stands. State: open | acknowledged | silenced | closed. `reason` is the latest."""

    alert_id: str
    theme: str
    theme_title: str
    severity: Severity
    state: str
    title: str
    reason: str
    story_id: str
    entry_ids: tuple[str, ...]
    sources: tuple[str, ...]
    rules: tuple[str, ...]
    arrival: str
    raised_at: datetime
    verdict: str | None
    position: int
    last_position: int


class OpenAlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that is not closed; `since`: when it was last raised, grouped or reopened."""

    alert_id: str
    state: str
    since: datetime
    position: int


class SilenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A silence. State: active | expired. `hidden`: alerts raised, grouped or reopened under it."""

    silence_id: str
    theme: str | None
    source: str | None
    rule: str | None
    at_most: Severity | None
    until: datetime
    reason: str
    actor: str
    added_at: datetime
    state: str
    expired_at: datetime | None
    hidden: int
    position: int


class AlertEventRow(msgspec.Struct, frozen=True, kw_only=True):
    """The places in the log that windows gather: an alert raised, grouped or reopened, under a `silence` or not; or an
    alert of which one `receiver` is reminded.
    """

    position: int
    type: str
    alert_id: str
    entry_id: str
    severity: Severity
    reason: str
    arrival: str
    recorded_at: datetime
    silence: str | None = None
    receiver: str | None = None


class ReceiverRow(msgspec.Struct, frozen=True, kw_only=True):
    """How far a receiver's windows got. `last_due` is the due instant of its last closed window.

    `carried`: behind this position lies what past windows left out or deferred and no digest told yet; `deferred`:
    there is something that the next whole window tells.
    `failing`: why something has not reached it for an hour.
    `held`: why nothing is sent to it; `held_recipient` is whom that was about.
    """

    receiver: str
    added: int
    added_at: datetime
    upto: int
    last_window_id: str | None
    last_due: datetime | None
    carried: int | None
    deferred: bool
    failing: str | None
    held: str | None
    held_recipient: str | None
    position: int


class WindowRow(msgspec.Struct, frozen=True, kw_only=True):
    """A closed window; `digest_id` is None until composed (or where there was nothing to say: `composed` is then
    still False).
    """

    window_id: str
    receiver: str
    after: int
    upto: int
    due: datetime
    unmatched: int
    mode: ev.WindowMode
    closed_at: datetime
    digest_id: str | None
    position: int


class DigestRow(msgspec.Struct, frozen=True, kw_only=True):
    """A composed digest; the content stands in the log at `position`."""

    digest_id: str
    window_id: str
    receiver: str
    upto: int
    composed_at: datetime
    content_hash: str
    delivery_ids: tuple[str, ...]
    position: int


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One address of one digest. State: pending | delivered | failed | held | discarded.

    `in_flight`: an attempt was recorded and no outcome yet. `next_attempt`: not before then.
    """

    delivery_id: str
    digest_id: str
    receiver: str
    recipient: str
    channel: str
    state: str
    attempts: int
    in_flight: bool
    next_attempt: datetime | None
    last_error: str | None
    position: int


class NoticeRow(msgspec.Struct, frozen=True, kw_only=True):
    """Something the operator should know, at its place in the log: a source failing, files refused, a delivery stuck.

    `kind` is the event's type; `subject` the source, receiver or delivery it is about, or empty.
    """

    position: int
    kind: str
    subject: str
    detail: str
    recorded_at: datetime


class BookRow(msgspec.Struct, frozen=True, kw_only=True):
    """The files in force and, where the files on disk are faulty, what is wrong with them."""

    revision: str
    files: dict[str, str]
    settings: dict[str, str]
    versions: dict[str, str]
    refused: str | None
    faults: tuple[str, ...]
    adopted_at: datetime | None
    position: int


class OutboxRow(msgspec.Struct, frozen=True, kw_only=True):
    """Whether all sending is held."""

    held: bool
    reason: str
    position: int


def _once(items: tuple[str, ...], item: str) -> tuple[str, ...]:
    return items if item in items else (*items, item)


# --- sources


def _source_keys(event: ev.Event, position: int) -> tuple[str, ...]:
    match event:
        case (
            ev.SourceAdded()
            | ev.SourceRemoved()
            | ev.SourceFailed()
            | ev.SourceRecovered()
            | ev.SourceMoved()
            | ev.SourceGone()
            | ev.EntryObserved()
        ):
            return (event.source_id,)
        case _:
            return ()


def _fold_source(row: SourceRow | None, recorded: ev.Recorded, key: str) -> SourceRow | None:
    event, at = recorded.event, recorded.recorded_at
    if isinstance(event, ev.SourceAdded):
        return SourceRow(
            id=event.source_id, kind=event.kind, location=event.location, state="ok", last_error=None, since=at,
            entries=row.entries if row else 0, position=row.position if row else recorded.position,
        )  # fmt: skip
    if row is None:
        return None
    match event:
        case ev.SourceRemoved():
            return replace(row, state="removed", since=at)
        case ev.SourceFailed():
            return replace(row, state="failing", last_error=event.reason, since=at)
        case ev.SourceRecovered():
            return replace(row, state="ok", last_error=None, since=at)
        case ev.SourceMoved():
            return replace(row, location=event.location)
        case ev.SourceGone():
            return replace(row, state="gone", last_error=event.reason, since=at)
        case ev.EntryObserved():
            return replace(row, entries=row.entries + 1)
        case _:
            return row


SOURCES = View("sources", 1, SourceRow, _source_keys, _fold_source, sort=lambda row: row.position)


# --- entries


def _entry_keys(event: ev.Event, position: int) -> tuple[str, ...]:
    match event:
        case (
            ev.EntryObserved()
            | ev.EntryRevised()
            | ev.EntryWithdrawn()
            | ev.StoryStarted()
            | ev.StoryJoined()
            | ev.EntryMatched()
        ):
            return (event.entry_id,)
        case ev.StoryMerged():
            return event.story.entry_ids
        case ev.StorySplit():
            return event.parted.entry_ids
        case _:
            return ()


def _fold_entry(row: EntryRow | None, recorded: ev.Recorded, key: str) -> EntryRow | None:
    event = recorded.event
    if isinstance(event, ev.EntryObserved):
        return EntryRow(
            entry_id=event.entry_id, source_id=event.source_id, raw_id=event.raw_id, url=event.url, title=event.title,
            author=event.author, published=event.published, updated=event.updated, first_seen=event.first_seen,
            language=event.language, revision=1, fingerprint=event.fingerprint, arrival=event.arrival.value,
            story_id=None, themes=(), withdrawn=False, position=recorded.position, text_position=recorded.position,
        )  # fmt: skip
    if row is None:
        return None
    match event:
        case ev.EntryRevised():
            return replace(
                row, url=event.url, title=event.title, author=event.author, published=event.published,
                updated=event.updated, language=event.language, revision=event.revision,
                fingerprint=event.fingerprint, themes=(), text_position=recorded.position,
            )  # fmt: skip
        case ev.EntryWithdrawn():
            return replace(row, withdrawn=True)
        case ev.StoryStarted() | ev.StoryJoined():
            return replace(row, story_id=event.story_id)
        case ev.StoryMerged():
            return replace(row, story_id=event.story.story_id)
        case ev.StorySplit():
            return replace(row, story_id=event.parted.story_id)
        case ev.EntryMatched():
            return replace(row, themes=_once(row.themes, event.theme))
        case _:
            return row


ENTRIES = View(
    "entries", 1, EntryRow, _entry_keys, _fold_entry, sort=lambda row: row.position, facet=lambda row: row.source_id
)


# --- stories


def _story_keys(event: ev.Event, position: int) -> tuple[str, ...]:
    match event:
        case ev.StoryStarted() | ev.StoryJoined():
            return (event.story_id,)
        case ev.StoryMerged():
            return (event.story.story_id, event.merged)
        case ev.StorySplit():
            return (event.story.story_id, event.parted.story_id)
        case _:
            return ()


def _fold_story(row: StoryRow | None, recorded: ev.Recorded, key: str) -> StoryRow | None:
    event = recorded.event
    match event:
        case ev.StoryStarted():
            return StoryRow(
                story_id=event.story_id, title=event.title, entry_ids=(event.entry_id,), sources=(event.source_id,),
                independent=(event.source_id,), first_seen=event.seen, last_seen=event.seen,
                position=recorded.position,
            )  # fmt: skip
        case ev.StoryMerged() if key == event.merged:
            return None
        case ev.StoryMerged() | ev.StorySplit():
            part = event.parted if isinstance(event, ev.StorySplit) and key == event.parted.story_id else event.story
            return StoryRow(
                story_id=key, title=part.title, entry_ids=part.entry_ids, sources=part.sources,
                independent=part.independent, first_seen=part.first_seen, last_seen=part.last_seen,
                position=row.position if row else recorded.position,
            )  # fmt: skip
        case ev.StoryJoined() if row is not None:  # what joins so far is the same text
            return replace(
                row, entry_ids=_once(row.entry_ids, event.entry_id), sources=_once(row.sources, event.source_id),
                last_seen=max(row.last_seen, event.seen),
            )  # fmt: skip
        case _:
            return row


STORIES = View("stories", 2, StoryRow, _story_keys, _fold_story, sort=lambda row: row.position)

REMEMBERED_POSITIONS = 1 << 19
"""How far back in the log marks are kept: rows stand in a ring, so there are never more of them than this."""


def _marks_keys(event: ev.Event, position: int) -> tuple[str, ...]:
    marked = isinstance(event, ev.StoryStarted | ev.StoryJoined) and event.marks
    return (f"{position % REMEMBERED_POSITIONS:06x}",) if marked else ()


def _fold_marks(row: MarksRow | None, recorded: ev.Recorded, key: str) -> MarksRow | None:
    event = recorded.event
    if not isinstance(event, ev.StoryStarted | ev.StoryJoined):
        return row
    return MarksRow(entry_id=event.entry_id, marks=event.marks, position=recorded.position)


MARKS = View("marks", 1, MarksRow, _marks_keys, _fold_marks, sort=lambda row: row.position)


# --- alerts


def _alert_keys(event: ev.Event, position: int) -> tuple[str, ...]:
    match event:
        case (
            ev.AlertRaised()
            | ev.AlertGrouped()
            | ev.AlertReopened()
            | ev.AlertAcknowledged()
            | ev.AlertClosed()
            | ev.VerdictGiven()
        ):
            return (event.alert_id,)
        case _:
            return ()


def _state_under(silence: str | None) -> str:
    return "open" if silence is None else "silenced"


def _fold_alert(row: AlertRow | None, recorded: ev.Recorded, key: str) -> AlertRow | None:
    event, position = recorded.event, recorded.position
    if isinstance(event, ev.AlertRaised):
        return AlertRow(
            alert_id=event.alert_id, theme=event.theme, theme_title=event.theme_title, severity=event.severity,
            state=_state_under(event.silence), title=event.title, reason=event.reason.value, story_id=event.story_id,
            entry_ids=(event.entry_id,), sources=(event.source_id,), rules=event.rules, arrival=event.arrival.value,
            raised_at=recorded.recorded_at, verdict=None, position=position, last_position=position,
        )  # fmt: skip
    if row is None:
        return None
    match event:
        case ev.AlertGrouped() | ev.AlertReopened():
            return replace(
                row, state=_state_under(event.silence) if isinstance(event, ev.AlertReopened) else row.state,
                severity=event.severity,
                reason=row.reason if event.reason is ev.AlertReason.COPY else event.reason.value,
                entry_ids=_once(row.entry_ids, event.entry_id),
                sources=_once(row.sources, event.source_id),
                rules=tuple(dict.fromkeys((*row.rules, *event.rules))), last_position=position,
            )  # fmt: skip
        case ev.AlertAcknowledged():
            return replace(row, state="acknowledged", last_position=position)
        case ev.AlertClosed():
            return replace(row, state="closed", last_position=position)
        case ev.VerdictGiven():
            return replace(row, verdict=event.verdict, last_position=position)
        case _:
            return row


ALERTS = View(
    "alerts", 2, AlertRow, _alert_keys, _fold_alert, sort=lambda row: row.position, facet=lambda row: row.theme
)


def _fold_open_alert(row: OpenAlertRow | None, recorded: ev.Recorded, key: str) -> OpenAlertRow | None:
    event = recorded.event
    if isinstance(event, ev.AlertRaised | ev.AlertReopened):
        state = _state_under(event.silence)
        return OpenAlertRow(alert_id=key, state=state, since=recorded.recorded_at, position=recorded.position)
    if row is None or isinstance(event, ev.AlertClosed):
        return None
    match event:
        case ev.AlertGrouped():
            return replace(row, since=recorded.recorded_at)
        case ev.AlertAcknowledged():
            return replace(row, state="acknowledged")
        case _:
            return row


OPEN_ALERTS = View(
    "open_alerts", 2, OpenAlertRow, _alert_keys, _fold_open_alert, sort=lambda row: row.position,
    facet=lambda row: row.state,
)  # fmt: skip


REMINDER = "reminder"
_TOLD = ev.AlertRaised | ev.AlertGrouped | ev.AlertReopened | ev.AlertReminded


def _alert_event_keys(event: ev.Event, position: int) -> tuple[str, ...]:
    if not isinstance(event, _TOLD) or getattr(event, "reason", None) is ev.AlertReason.COPY:
        return ()
    return (f"{position:020d}",)


def _fold_alert_event(row: AlertEventRow | None, recorded: ev.Recorded, key: str) -> AlertEventRow | None:
    event = recorded.event
    if not isinstance(event, _TOLD):
        return row
    found = AlertEventRow(
        position=recorded.position, type=recorded.type, alert_id=event.alert_id, entry_id=event.entry_id,
        severity=event.severity, reason=REMINDER, recorded_at=recorded.recorded_at, arrival="new", silence=None,
        receiver=None,
    )  # fmt: skip
    if isinstance(event, ev.AlertReminded):
        return replace(found, receiver=event.receiver)
    arrival = event.arrival.value if isinstance(event, ev.AlertRaised) else "new"
    return replace(found, reason=event.reason.value, arrival=arrival, silence=event.silence)


ALERT_EVENTS = View(
    "alert_events", 2, AlertEventRow, _alert_event_keys, _fold_alert_event, sort=lambda row: row.position
)


# --- silences


def _silence_keys(event: ev.Event, position: int) -> tuple[str, ...]:
    match event:
        case ev.SilenceAdded() | ev.SilenceExpired():
            return (event.silence_id,)
        case ev.AlertRaised() | ev.AlertGrouped() | ev.AlertReopened() if event.silence is not None:
            return (event.silence,)
        case _:
            return ()


def _fold_silence(row: SilenceRow | None, recorded: ev.Recorded, key: str) -> SilenceRow | None:
    event = recorded.event
    if isinstance(event, ev.SilenceAdded):
        return SilenceRow(
            silence_id=event.silence_id, theme=event.theme, source=event.source, rule=event.rule,
            at_most=event.at_most, until=event.until, reason=event.reason, actor=recorded.actor,
            added_at=recorded.recorded_at, state="active", expired_at=None, hidden=0, position=recorded.position,
        )  # fmt: skip
    if row is None:
        return None
    if isinstance(event, ev.SilenceExpired):
        return replace(row, state="expired", expired_at=recorded.recorded_at)
    return replace(row, hidden=row.hidden + 1)


SILENCES = View(
    "silences", 1, SilenceRow, _silence_keys, _fold_silence, sort=lambda row: row.position,
    facet=lambda row: row.state,
)  # fmt: skip


# --- receivers, windows, digests, deliveries


RECEIVER_EVENTS = (
    ev.ReceiverAdded
    | ev.ReceiverRemoved
    | ev.ReceiverFailing
    | ev.ReceiverRecovered
    | ev.ReceiverHeld
    | ev.ReceiverReleased
    | ev.WindowClosed
    | ev.DigestComposed
)


def _receiver_keys(event: ev.Event, position: int) -> tuple[str, ...]:
    return (event.receiver,) if isinstance(event, RECEIVER_EVENTS) else ()


def _fold_receiver(row: ReceiverRow | None, recorded: ev.Recorded, key: str) -> ReceiverRow | None:
    event = recorded.event
    if isinstance(event, ev.ReceiverAdded):
        return ReceiverRow(
            receiver=event.receiver, added=recorded.position, added_at=recorded.recorded_at, upto=recorded.position,
            last_window_id=None, last_due=None, carried=None, deferred=False, failing=None, held=None,
            held_recipient=None,
            position=recorded.position,
        )  # fmt: skip
    if row is None:
        return None
    match event:
        case ev.ReceiverRemoved():
            return None
        case ev.WindowClosed():
            return _after_window(row, event)
        case ev.DigestComposed() if event.window_id == row.last_window_id and not row.deferred:
            return replace(row, carried=None)
        case ev.ReceiverFailing():
            return replace(row, failing=event.error)
        case ev.ReceiverRecovered():
            return replace(row, failing=None)
        case ev.ReceiverHeld():
            return replace(row, held=event.reason, held_recipient=event.recipient)
        case ev.ReceiverReleased():
            return replace(row, held=None, held_recipient=None)
        case _:
            return row


def _after_window(row: ReceiverRow, event: ev.WindowClosed) -> ReceiverRow:
    leaves = event.left_out > 0 or event.deferred > 0
    return replace(
        row, upto=event.upto, last_window_id=event.window_id, last_due=event.due,
        carried=event.after if row.carried is None and leaves else row.carried,
        deferred=event.mode is not ev.WindowMode.WHOLE and (row.deferred or event.deferred > 0),
    )  # fmt: skip


RECEIVERS = View("receivers", 3, ReceiverRow, _receiver_keys, _fold_receiver, sort=lambda row: row.position)


def _window_keys(event: ev.Event, position: int) -> tuple[str, ...]:
    return (event.window_id,) if isinstance(event, ev.WindowClosed | ev.DigestComposed) else ()


def _fold_window(row: WindowRow | None, recorded: ev.Recorded, key: str) -> WindowRow | None:
    event = recorded.event
    if isinstance(event, ev.WindowClosed):
        return WindowRow(
            window_id=event.window_id, receiver=event.receiver, after=event.after, upto=event.upto, due=event.due,
            unmatched=event.unmatched, mode=event.mode, closed_at=recorded.recorded_at, digest_id=None,
            position=recorded.position,
        )  # fmt: skip
    if row is not None and isinstance(event, ev.DigestComposed):
        return replace(row, digest_id=event.digest_id)
    return row


WINDOWS = View(
    "windows", 2, WindowRow, _window_keys, _fold_window, sort=lambda row: row.position, facet=lambda row: row.receiver
)


def _digest_keys(event: ev.Event, position: int) -> tuple[str, ...]:
    return (event.digest_id,) if isinstance(event, ev.DigestComposed) else ()


def _fold_digest(row: DigestRow | None, recorded: ev.Recorded, key: str) -> DigestRow | None:
    event = recorded.event
    if not isinstance(event, ev.DigestComposed):
        return row
    return DigestRow(
        digest_id=event.digest_id, window_id=event.window_id, receiver=event.receiver, upto=event.upto,
        composed_at=event.composed_at, content_hash=event.content_hash,
        delivery_ids=tuple(delivery.delivery_id for delivery in event.deliveries), position=recorded.position,
    )  # fmt: skip


DIGESTS = View(
    "digests", 1, DigestRow, _digest_keys, _fold_digest, sort=lambda row: row.position, facet=lambda row: row.receiver
)

DELIVERY_EVENTS = (
    ev.DeliveryAttempted
    | ev.DigestDelivered
    | ev.DeliveryIncomplete
    | ev.DeliveryFailed
    | ev.DeliveryUnknown
    | ev.DeliveryReleased
    | ev.DeliveryDiscarded
)


def _delivery_keys(event: ev.Event, position: int) -> tuple[str, ...]:
    if isinstance(event, ev.DigestComposed):
        return tuple(delivery.delivery_id for delivery in event.deliveries)
    return (event.delivery_id,) if isinstance(event, DELIVERY_EVENTS) else ()


def _fold_delivery(row: DeliveryRow | None, recorded: ev.Recorded, key: str) -> DeliveryRow | None:
    event = recorded.event
    if isinstance(event, ev.DigestComposed):
        planned = next(delivery for delivery in event.deliveries if delivery.delivery_id == key)
        return DeliveryRow(
            delivery_id=key, digest_id=event.digest_id, receiver=event.receiver, recipient=planned.recipient,
            channel=planned.channel, state="pending", attempts=0, in_flight=False, next_attempt=None,
            last_error=None, position=recorded.position,
        )  # fmt: skip
    if row is None:
        return None
    match event:
        case ev.DeliveryAttempted():
            return replace(row, attempts=event.attempt, in_flight=True)
        case ev.DigestDelivered():
            return replace(row, state="delivered", in_flight=False, next_attempt=None, last_error=None)
        case ev.DeliveryIncomplete():
            return replace(row, last_error="; ".join(event.refused))
        case ev.DeliveryFailed():
            state = "failed" if event.permanent else "pending" if event.next_attempt else "held"
            return replace(row, state=state, in_flight=False, next_attempt=event.next_attempt, last_error=event.error)
        case ev.DeliveryUnknown():
            return replace(
                row, state="held" if event.held else "pending", in_flight=False,
                next_attempt=event.next_attempt, last_error=event.error,
            )  # fmt: skip
        case ev.DeliveryReleased():
            return replace(row, state="pending", in_flight=False, next_attempt=None)
        case ev.DeliveryDiscarded():
            return replace(row, state="discarded", in_flight=False, next_attempt=None)
        case _:
            return row


DELIVERIES = View(
    "deliveries", 1, DeliveryRow, _delivery_keys, _fold_delivery, sort=lambda row: row.position,
    facet=lambda row: row.state,
)  # fmt: skip


# --- notices

MAX_DETAIL = 500


def _notice_of(event: ev.Event | None) -> tuple[str, str] | None:
    """(subject, detail) where the operator should know of this event."""
    match event:
        case ev.SourceFailed() | ev.SourceGone():
            return event.source_id, event.reason
        case ev.RuleBookRefused() | ev.ConfigurationRefused():
            more = f" (+{len(event.faults) - 1} more)" if len(event.faults) > 1 else ""
            return "", f"{event.faults[0] if event.faults else 'no reason given'}{more}"
        case ev.RuleChangeFailed():
            return event.revision, event.reason
        case ev.DeliveryFailed() if event.next_attempt is None:
            return event.delivery_id, event.error
        case ev.DeliveryIncomplete():
            return event.delivery_id, "; ".join(event.refused)
        case ev.DeliveryUnknown() if event.held:
            return event.delivery_id, event.error
        case ev.ReceiverHeld():
            return event.receiver, event.reason
        case ev.ReceiverFailing():
            return event.receiver, event.error
        case ev.OutboxHeld():
            return "", event.reason
        case _:
            return None


def _notice_keys(event: ev.Event, position: int) -> tuple[str, ...]:
    return (f"{position:020d}",) if _notice_of(event) else ()


def _fold_notice(row: NoticeRow | None, recorded: ev.Recorded, key: str) -> NoticeRow | None:
    notice = _notice_of(recorded.event)
    if notice is None:
        return row
    return NoticeRow(
        position=recorded.position, kind=recorded.type, subject=notice[0], detail=notice[1][:MAX_DETAIL],
        recorded_at=recorded.recorded_at,
    )  # fmt: skip


NOTICES = View("notices", 1, NoticeRow, _notice_keys, _fold_notice, sort=lambda row: row.position)


# --- rule book, configuration, outbox

CURRENT = "current"
_NOTHING = BookRow(
    revision="", files={}, settings={}, versions={}, refused=None, faults=(), adopted_at=None, position=0
)


def _book_keys(event: ev.Event, position: int) -> tuple[str, ...]:
    return (CURRENT,) if isinstance(event, ev.RuleBookAdopted | ev.RuleBookRefused) else ()


def _configuration_keys(event: ev.Event, position: int) -> tuple[str, ...]:
    return (CURRENT,) if isinstance(event, ev.ConfigurationAdopted | ev.ConfigurationRefused) else ()


def _fold_book(row: BookRow | None, recorded: ev.Recorded, key: str) -> BookRow | None:
    row, event = row or _NOTHING, recorded.event
    if isinstance(event, ev.RuleBookAdopted | ev.ConfigurationAdopted):
        files = {path: text for path, text in row.files.items() if path not in event.removed} | event.changed
        row = replace(
            row, revision=event.revision, files=dict(sorted(files.items())), refused=None, faults=(),
            adopted_at=recorded.recorded_at, position=recorded.position,
        )  # fmt: skip
        if isinstance(event, ev.ConfigurationAdopted):
            row = replace(row, settings=event.settings, versions=event.versions)
    elif isinstance(event, ev.RuleBookRefused | ev.ConfigurationRefused):
        row = replace(row, refused=event.revision, faults=event.faults)
    return row


RULE_BOOK = View("rule_book", 1, BookRow, _book_keys, _fold_book, sort=lambda row: row.position)
CONFIGURATION = View("configuration", 1, BookRow, _configuration_keys, _fold_book, sort=lambda row: row.position)


def _outbox_keys(event: ev.Event, position: int) -> tuple[str, ...]:
    return (CURRENT,) if isinstance(event, ev.OutboxHeld | ev.OutboxReleased) else ()


def _fold_outbox(row: OutboxRow | None, recorded: ev.Recorded, key: str) -> OutboxRow | None:
    event = recorded.event
    if isinstance(event, ev.OutboxHeld):
        return OutboxRow(held=True, reason=event.reason, position=recorded.position)
    return OutboxRow(held=False, reason="", position=recorded.position)


OUTBOX = View("outbox", 1, OutboxRow, _outbox_keys, _fold_outbox, sort=lambda row: row.position)

ALL = (
    SOURCES, ENTRIES, STORIES, MARKS, ALERTS, OPEN_ALERTS, ALERT_EVENTS, SILENCES, RECEIVERS, WINDOWS, DIGESTS,
    DELIVERIES, NOTICES, RULE_BOOK, CONFIGURATION, OUTBOX,
)  # fmt: skip
