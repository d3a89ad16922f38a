"""Every event, in the past tense and frozen; `NewEvent` before it is stored and `Recorded` after.

A field is never renamed, removed or given another meaning: a new shape is a new `schema` number and an upcaster in
`codec.py`.
Streams: `source/<id>`, `entry/<id>`, `story/<id>`, `alert/<id>`, `silence/<id>`, `receiver/<name>`, `delivery/<id>`,
`rulebook`, `configuration`, `system`.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

import msgspec

from monitor.core.entries import Arrival
from monitor.matching.model import RuleMatch, Severity


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact. The class name is the type name in the log."""

    schema: ClassVar[int] = 1


# --- sources --------------------------------------------------------------------------------------


class SourceAdded(Event, frozen=True, kw_only=True):
    """A source is watched from now on. `location` carries no secret."""

    source_id: str
    kind: str
    location: str


class SourceRemoved(Event, frozen=True, kw_only=True):
    """A source is no longer in `sources.yaml`; what it brought stays."""

    source_id: str


class SourceFailed(Event, frozen=True, kw_only=True):
    """A source turned from healthy to failing (said once, not at each try). `reason` is one line without secrets."""

    source_id: str
    reason: str


class SourceRecovered(Event, frozen=True, kw_only=True):
    """A failing source answered again, after `failures` failed tries."""

    source_id: str
    failures: int


class SourceMoved(Event, frozen=True, kw_only=True):
    """Every hop of several polls in a row was a permanent redirect to `location`."""

    source_id: str
    location: str


class SourceGone(Event, frozen=True, kw_only=True):
    """The server said 410: not polled again until the owner changes the source."""

    source_id: str
    reason: str


# --- entries --------------------------------------------------------------------------------------


class EntryObserved(Event, frozen=True, kw_only=True):
    """An entry was seen for the first time. `first_seen` is the instant of the poll that brought it."""

    entry_id: str
    source_id: str
    raw_id: str | None
    url: str | None
    title: str
    author: str | None
    text: str
    published: datetime | None
    updated: datetime | None
    first_seen: datetime
    language: str | None
    tags: tuple[str, ...]
    fingerprint: str
    arrival: Arrival


class EntryRevised(Event, frozen=True, kw_only=True):
    """A known entry changed in what a reader would notice. `revision` counts from 2; `diff` is a unified text diff."""

    entry_id: str
    source_id: str
    revision: int
    url: str | None
    title: str
    author: str | None
    text: str
    published: datetime | None
    updated: datetime | None
    seen: datetime
    language: str | None
    tags: tuple[str, ...]
    fingerprint: str
    changed: tuple[str, ...]
    diff: str


class EntryWithdrawn(Event, frozen=True, kw_only=True):
    """The publisher took the entry back."""

    entry_id: str
    reason: str


# --- rules and configuration ----------------------------------------------------------------------


class RuleBookAdopted(Event, frozen=True, kw_only=True):
    """The rules in force from this position on. `revision` is the hash of the whole book.

    `changed` maps path (relative to `rules/`) to the new text, `removed` lists paths: folding all of these gives
    the whole book.
    """

    revision: str
    changed: dict[str, str]
    removed: tuple[str, ...]


class RuleBookRefused(Event, frozen=True, kw_only=True):
    """Edited rules were faulty; the book in force stays. `faults` are `file:line:column: message`."""

    revision: str
    faults: tuple[str, ...]


class RuleChangeFailed(Event, frozen=True, kw_only=True):
    """The rules of this revision are in force, but what follows an edit failed for good: nobody is told what it did,
    and older entries are not held against it.
    """

    revision: str
    reason: str


class ConfigurationAdopted(Event, frozen=True, kw_only=True):
    """What else decides a digest: texts of `receivers.yaml` and `sources.yaml`, settings and versions. No secret's
    value.
    """

    revision: str
    changed: dict[str, str]
    removed: tuple[str, ...]
    settings: dict[str, str]
    versions: dict[str, str]


class ConfigurationRefused(Event, frozen=True, kw_only=True):
    """An edited `receivers.yaml` or `sources.yaml` was faulty; the one in force stays."""

    revision: str
    faults: tuple[str, ...]


# --- matches, stories, alerts ---------------------------------------------------------------------


class EntryMatched(Event, frozen=True, kw_only=True):
    """A revision of an entry met one or more rules of a theme, under the rule book `book`."""

    entry_id: str
    revision: int
    theme: str
    book: str
    mode: str
    rules: tuple[RuleMatch, ...]


class StoryStarted(Event, frozen=True, kw_only=True):
    """A story begins with this entry. `marks`: a sample of its text in hashes, by which copies are found (base64)."""

    schema: ClassVar[int] = 2
    story_id: str
    entry_id: str
    source_id: str
    title: str
    seen: datetime
    marks: bytes = b""


class StoryJoined(Event, frozen=True, kw_only=True):
    """An entry tells a known story, as the entry `like` does. `reason`: `copy` (of the same length or nearly) or
    `extract` (one text holds the other); `score`: the part of the shorter text that the longer one holds. `marks`: as
    in `StoryStarted`.
    """

    schema: ClassVar[int] = 2
    story_id: str
    entry_id: str
    source_id: str
    seen: datetime
    reason: str
    score: float
    like: str | None = None
    marks: bytes = b""


class StoryPart(msgspec.Struct, frozen=True, kw_only=True):
    """A story as it is after an analyst's act. `independent`: the sources of which none copies another."""

    story_id: str
    title: str
    entry_ids: tuple[str, ...]
    sources: tuple[str, ...]
    independent: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime


class StoryMerged(Event, frozen=True, kw_only=True):
    """An analyst says that the story `merged` is this one: its entries, and what joins them, are of `story`."""

    story: StoryPart
    merged: str


class StorySplit(Event, frozen=True, kw_only=True):
    """An analyst says that some entries of `story` tell another one, `parted`; entries that will join them do too."""

    story: StoryPart
    parted: StoryPart


class AlertReason(StrEnum):
    """Why an alert was raised, grouped or reopened."""

    FIRST_MATCH = "first_match"
    REVISED = "revised"
    HIGHER_SEVERITY = "higher_severity"
    RULE_CHANGED = "rule_changed"
    REVIVED = "revived"
    COPY = "copy"  # one more copy of the same text: shown with the alert, never told by itself


class AlertRaised(Event, frozen=True, kw_only=True):
    """One alert per theme and story. `arrival` tells the digest which section the alert belongs to. `silence`: the
    silence that keeps it from being sent.
    """

    schema: ClassVar[int] = 2
    alert_id: str
    theme: str
    theme_title: str
    severity: Severity
    title: str
    reason: AlertReason
    story_id: str
    entry_id: str
    source_id: str
    rules: tuple[str, ...]
    arrival: Arrival
    silence: str | None = None


class AlertGrouped(Event, frozen=True, kw_only=True):
    """Something more came to a raised alert (a revision, another copy). `silence`: what keeps it from being sent."""

    schema: ClassVar[int] = 2
    alert_id: str
    entry_id: str
    source_id: str
    severity: Severity
    rules: tuple[str, ...]
    reason: AlertReason
    silence: str | None = None


class AlertReopened(Event, frozen=True, kw_only=True):
    """An acknowledged, silenced or closed alert is open again; under a `silence` it is silenced instead."""

    schema: ClassVar[int] = 2
    alert_id: str
    entry_id: str
    source_id: str
    severity: Severity
    rules: tuple[str, ...]
    reason: AlertReason
    silence: str | None = None


class AlertReminded(Event, frozen=True, kw_only=True):
    """An alert stayed open and was not acknowledged for as long as this receiver's `repeat`: it is told again.
    `number` counts from 1, anew where something more came.
    """

    alert_id: str
    entry_id: str
    receiver: str
    severity: Severity
    number: int


class AlertSuppressed(Event, frozen=True, kw_only=True):
    """A match raised no alert. `reason`: `baseline`, `shadow`, `unchanged`."""

    entry_id: str
    theme: str
    reason: str


class AlertAcknowledged(Event, frozen=True, kw_only=True):
    """An analyst has taken note."""

    alert_id: str


class AlertClosed(Event, frozen=True, kw_only=True):
    """The alert is done with. `reason`: `acknowledged` (by a person), `quiet` (no new entry of its story for the
    theme's `close_after`) or `merged` (its story went up in another that has an alert of the theme).
    """

    alert_id: str
    reason: str


class VerdictGiven(Event, frozen=True, kw_only=True):
    """An analyst's word on an alert: `relevant` or `noise`."""

    alert_id: str
    verdict: str
    note: str


# --- silences -------------------------------------------------------------------------------------


class SilenceAdded(Event, frozen=True, kw_only=True):
    """What fits all of these is kept but not sent, until then; the actor answers for it. None: any.

    `rule`: nothing but this rule was met. `at_most`: no more severe than that.
    """

    silence_id: str
    theme: str | None
    source: str | None
    rule: str | None
    at_most: Severity | None
    until: datetime
    reason: str


class SilenceExpired(Event, frozen=True, kw_only=True):
    """A silence is over. `reason`: `time` or `by hand`."""

    silence_id: str
    reason: str


# --- receivers, digests and deliveries ------------------------------------------------------------


class ReceiverAdded(Event, frozen=True, kw_only=True):
    """A receiver is configured from now on; it gets alerts raised after this position."""

    receiver: str


class ReceiverRemoved(Event, frozen=True, kw_only=True):
    """A receiver is no longer configured."""

    receiver: str


class ReceiverFailing(Event, frozen=True, kw_only=True):
    """What waits for this receiver has failed to reach it for an hour (said once, not at each try)."""

    receiver: str
    error: str


class ReceiverRecovered(Event, frozen=True, kw_only=True):
    """Nothing that failed for an hour waits for this receiver any more."""

    receiver: str


class ReceiverHeld(Event, frozen=True, kw_only=True):
    """Nothing more is sent to this receiver until a person releases it or it gets another `recipient` (HTTP 410)."""

    receiver: str
    recipient: str
    reason: str


class ReceiverReleased(Event, frozen=True, kw_only=True):
    """A held receiver is sent to again."""

    receiver: str


class WindowMode(StrEnum):
    """What of a window is told."""

    WHOLE = "whole"
    PIERCED = "pierced"  # closed in quiet hours: only what pierces them; the rest comes in the next whole window
    SKIPPED = "skipped"  # missed, under `catch_up: skip`: nothing; the next digest lists its titles


class WindowClosed(Event, frozen=True, kw_only=True):
    """A receiver's window holds the alert events with position in (after, upto]. `window_id` fires once.

    Of these `left_out` are not told (silenced, dropped, skipped) and `deferred` are told later.
    """

    schema: ClassVar[int] = 2
    window_id: str
    receiver: str
    after: int
    upto: int
    due: datetime
    unmatched: int
    mode: WindowMode = WindowMode.WHOLE
    left_out: int = 0
    deferred: int = 0


class PlannedDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One address a digest goes to; the id is stable over retries and serves as Message-ID and webhook-id."""

    delivery_id: str
    channel: str
    recipient: str


class DigestComposed(Event, frozen=True, kw_only=True):
    """A digest and where it goes. `content` is the JSON text of `core.digests.Digest`; `content_hash` its SHA-256.

    One that tells of an edit of the rules at `upto` is of no window: no `WindowClosed` has its `window_id`.
    """

    digest_id: str
    window_id: str
    receiver: str
    upto: int
    composed_at: datetime
    content: str
    content_hash: str
    deliveries: tuple[PlannedDelivery, ...]


class DeliveryAttempted(Event, frozen=True, kw_only=True):
    """About to send; an outcome event follows, unless the process dies."""

    delivery_id: str
    digest_id: str
    attempt: int


class DigestDelivered(Event, frozen=True, kw_only=True):
    """The peer took it."""

    delivery_id: str
    digest_id: str
    attempt: int
    response: str


class DeliveryIncomplete(Event, frozen=True, kw_only=True):
    """Of the addresses of one message the peer refused these for good, each with its answer; the others have it."""

    delivery_id: str
    digest_id: str
    attempt: int
    refused: tuple[str, ...]


class DeliveryFailed(Event, frozen=True, kw_only=True):
    """The peer refused or was not there. `next_attempt` is None where the delivery is held for a person."""

    delivery_id: str
    digest_id: str
    attempt: int
    permanent: bool
    error: str
    next_attempt: datetime | None


class DeliveryUnknown(Event, frozen=True, kw_only=True):
    """The peer may have it (line dropped after the data, or we died before the outcome). `held`: no resend by
    itself.
    """

    delivery_id: str
    digest_id: str
    attempt: int
    error: str
    held: bool
    next_attempt: datetime | None


class DeliveryReleased(Event, frozen=True, kw_only=True):
    """A person lets a failed or held delivery go out again."""

    delivery_id: str


class DeliveryDiscarded(Event, frozen=True, kw_only=True):
    """A person says that this delivery shall not go out."""

    delivery_id: str


class OutboxHeld(Event, frozen=True, kw_only=True):
    """Nothing is sent until released (a restored backup may hold what was sent long ago)."""

    reason: str


class OutboxReleased(Event, frozen=True, kw_only=True):
    """Sending goes on."""


# --- the log itself -------------------------------------------------------------------------------


class ClockAnomaly(Event, frozen=True, kw_only=True):
    """The wall clock moved against the monotonic one by `step_seconds` (negative: back)."""

    before: datetime
    after: datetime
    step_seconds: float


class PayloadErased(Event, frozen=True, kw_only=True):
    """The body at `position` was erased; its commitment stays, so the chain still verifies."""

    position: int
    reason: str


# --- envelopes ------------------------------------------------------------------------------------


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way into the log.

    `event_id`: a caller who may retry gives the same id again; None lets the store draw one.
    `dedupe`: same key, already stored -> the old position is returned and nothing is written, whatever the body says.
    """

    stream: str
    event: Event
    event_id: str | None = None
    dedupe: str | None = None
    causation: int | None = None
    actor: str = "monitor"


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An event as the log holds it. `version` counts from 1 within its stream, `position` from 1 over the whole log.

    `event` is None where the body was erased. `recorded_at` is what the clock said; order is by position alone.
    """

    position: int
    stream: str
    version: int
    type: str
    schema: int
    event_id: str
    recorded_at: datetime
    causation: int | None
    actor: str
    event: Event | None
    hash: str
