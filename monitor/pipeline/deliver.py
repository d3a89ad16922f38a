"""Planned deliveries → attempts → outcomes. The log is the outbox: an attempt is on record before a byte is sent."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from threading import Lock

import structlog

from monitor.core import deliveries, views
from monitor.core import events as ev
from monitor.core.deliveries import Outcome, Result
from monitor.core.routing import OnUnknown
from monitor.core.routing import Receiver as Configured
from monitor.errors import MonitorError, WrongVersion
from monitor.pipeline.gather import Timeline
from monitor.ports import Commit, Draw, EventStore, Message, Receiver

log = structlog.get_logger()

Connect = Callable[[Configured], Receiver]
"""A configured receiver to the adapter that sends for it. Cheap; called once per receiver and configuration."""

LANES = 2  # sends at a time for one receiver; a slow one fills its own lanes, never another's
SEND_SECONDS = 300.0  # an adapter has its own, shorter deadline; this one guards against a broken adapter
_BEYOND_REASON = deliveries.LONGEST_RETRY_AFTER + timedelta(hours=2)


class Deliverer:
    """Sends what is due. `start_due` returns at once; sending goes on in tasks of the running loop."""

    def __init__(self, store: EventStore, timeline: Timeline, connect: Connect, draw: Draw, now: Reckoning) -> None:
        self._store = store
        self._timeline = timeline
        self._connect = connect
        self._draw = draw
        self._adapters: dict[str, tuple[Configured, Receiver]] = {}
        self._queues: dict[str, deque[str]] = {}
        self._workers: dict[str, set[asyncio.Task[None]]] = {}
        self._busy: set[str] = set()
        # Outcomes that the store could not take. Thrown away, the peer would be sent what it has.
        self._unrecorded: dict[str, tuple[views.DeliveryRow, Configured, Outcome]] = {}
        self._earlier: dict[str, timedelta] = {}
        self._starting = asyncio.Lock()
        self._recording = Lock()  # worker threads record
        self._now = now

    async def start_due(self, now: datetime) -> int:
        """Put what is due at `now` on its way; returns how many deliveries that are."""
        self._now.set(now)
        async with self._starting:
            await asyncio.to_thread(self._record_outcomes)
            due = await asyncio.to_thread(self._due, now, frozenset(self._busy))
            for row in due:
                self._busy.add(row.delivery_id)
                self._queues.setdefault(row.receiver, deque()).append(row.delivery_id)
            for receiver in {row.receiver for row in due}:
                self._man(receiver)
        return len(due)

    async def drained(self, seconds: float | None = None) -> bool:
        """Wait until nothing is under way; False where that takes longer."""
        tasks = self._tasks()
        if not tasks:
            return True
        _, late = await asyncio.wait(tasks, timeout=seconds)
        return not late

    async def stop(self, grace: float) -> None:
        """Begin nothing more, let what is being sent end within `grace` seconds, cut the rest off."""
        for queue in self._queues.values():
            self._busy.difference_update(queue)
            queue.clear()
        await self.drained(grace)
        tasks = self._tasks()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(MonitorError):
            await asyncio.to_thread(self._record_outcomes)

    def next_due(self, now: datetime) -> datetime | None:
        """When something is to be sent next; None where nothing waits, `now` where something is under way. Blocks."""
        if self._busy or self._unrecorded:
            return now
        if self._outbox_held():
            return None
        return min((self._due_at(row, now) for row in self._pending()), default=None)

    def clock_set_back(self, step: timedelta) -> None:
        """The wall clock went back by `step`: what waits for an instant waits no longer for it. Blocks."""
        nothing = timedelta(0)
        self._earlier = {
            row.delivery_id: self._earlier.get(row.delivery_id, nothing) + step
            for row in self._pending()
            if row.next_attempt is not None
        }

    def _due(self, now: datetime, busy: Collection[str]) -> list[views.DeliveryRow]:
        if self._outbox_held():
            return []
        due = []
        for row in self._pending():
            if row.delivery_id in busy or row.delivery_id in self._unrecorded:
                continue
            if self._again_after_death(row, now) if row.in_flight else self._due_at(row, now) <= now:
                due.append(row)
        return due

    def _pending(self) -> Iterator[views.DeliveryRow]:
        return self._store.rows(views.DELIVERIES, facet="pending")

    def _due_at(self, row: views.DeliveryRow, now: datetime) -> datetime:
        if row.in_flight or row.next_attempt is None:
            return now
        at = row.next_attempt - self._earlier.get(row.delivery_id, timedelta(0))
        # Set when the clock was far ahead: no wait of ours is that long.
        return now if at - now > _BEYOND_REASON else at

    def _outbox_held(self) -> bool:
        row = self._store.get(views.OUTBOX, views.CURRENT)
        return row is not None and row.held

    def _again_after_death(self, row: views.DeliveryRow, now: datetime) -> bool:
        """Put an attempt without outcome on record as unknown; whether it is made again."""
        receiver = self._timeline.current().book.receiver(row.receiver)
        on_unknown = receiver.on_unknown if receiver else OnUnknown.HOLD
        event = deliveries.interrupted(row, on_unknown, now)
        self._append(row, event)
        log.warning(
            f"receiver '{row.receiver}': {event.error}; {'held' if event.held else 'sent again under the same id'}",
            delivery=row.delivery_id,
        )
        return not event.held

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [task for workers in self._workers.values() for task in workers]

    def _man(self, receiver: str) -> None:
        workers = self._workers.setdefault(receiver, set())
        at_work = sum(not worker.done() for worker in workers)
        for _ in range(min(LANES - at_work, len(self._queues[receiver]))):
            task = asyncio.create_task(self._work(receiver))
            workers.add(task)
            task.add_done_callback(workers.discard)

    async def _work(self, receiver: str) -> None:
        queue = self._queues[receiver]
        while queue:
            delivery_id = queue.popleft()
            try:
                await self._attempt(delivery_id)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                # Nothing was sent, or it was and the outcome waits to be recorded.
                log.error(f"receiver '{receiver}': {type(error).__name__}: {error}", delivery=delivery_id)
            finally:
                self._busy.discard(delivery_id)

    async def _attempt(self, delivery_id: str) -> None:
        prepared = await asyncio.to_thread(self._prepare, delivery_id)
        if prepared is None:
            return
        row, receiver, adapter, message = prepared
        try:
            async with asyncio.timeout(SEND_SECONDS):
                outcome = await adapter.send(message)
        except TimeoutError:
            outcome = Outcome(state=Result.UNKNOWN, detail=f"no outcome within {SEND_SECONDS:.0f} s")
        except Exception as error:
            # A receiver promises not to raise; the message of one that does may hold a secret.
            log.exception("a receiver broke its promise", receiver=row.receiver, delivery=delivery_id)
            outcome = Outcome(state=Result.UNKNOWN, detail=f"internal error ({type(error).__name__})")
        self._unrecorded[delivery_id] = (row, receiver, outcome)
        await asyncio.to_thread(self._record_outcome, delivery_id)

    def _record_outcomes(self) -> None:
        for delivery_id in list(self._unrecorded):
            self._record_outcome(delivery_id)

    def _record_outcome(self, delivery_id: str) -> None:
        with self._recording:
            known = self._unrecorded.get(delivery_id)
            if known is not None:
                self._conclude(*known)
                del self._unrecorded[delivery_id]

    def _prepare(self, delivery_id: str) -> tuple[views.DeliveryRow, Configured, Receiver, Message] | None:
        """Put the attempt on record; None where there is nothing to send any more."""
        version = self._store.version(f"delivery/{delivery_id}")
        row = self._store.get(views.DELIVERIES, delivery_id)
        if row is None or row.state != "pending" or row.in_flight or self._outbox_held():
            return None
        receiver, reason = self._receiver_of(row)
        if receiver is None:
            self._append(row, deliveries.refused(row, reason), version=version)
            log.warning(f"{reason}; delivery held", delivery=delivery_id)
            return None
        digest = self._store.get(views.DIGESTS, row.digest_id)
        assert digest is not None, "a delivery has a digest"
        composed = self._store.at(digest.position).event
        if not isinstance(composed, ev.DigestComposed):
            self._append(row, deliveries.refused(row, "the digest was erased"), version=version)
            return None
        attempt = row.attempts + 1
        attempted = ev.DeliveryAttempted(delivery_id=delivery_id, digest_id=row.digest_id, attempt=attempt)
        try:
            self._append(row, attempted, version=version)
        except WrongVersion:
            return None  # someone else is at it
        self._earlier.pop(delivery_id, None)
        message = Message(
            delivery_id=delivery_id, digest_id=row.digest_id, recipient=row.recipient,
            composed_at=composed.composed_at, content=composed.content,
        )  # fmt: skip
        return row, receiver, self._adapter(receiver), message

    def _receiver_of(self, row: views.DeliveryRow) -> tuple[Configured | None, str]:
        receiver = self._timeline.current().book.receiver(row.receiver)
        if receiver is None:
            return None, f"receiver '{row.receiver}' is no longer configured"
        if receiver.target.channel != row.channel:
            return None, f"receiver '{row.receiver}' is no longer {row.channel}"
        known = self._store.get(views.RECEIVERS, row.receiver)
        if known is not None and known.held is not None:
            if known.held_recipient in receiver.target.recipients:
                return None, f"receiver '{row.receiver}' is held: {known.held}"
            # It was given another address since.
            released = ev.ReceiverReleased(receiver=row.receiver)
            self._store.append(Commit(events=(ev.NewEvent(stream=f"receiver/{row.receiver}", event=released),)))
        return receiver, ""

    def _adapter(self, receiver: Configured) -> Receiver:
        known = self._adapters.get(receiver.name)
        if known is None or known[0] != receiver:
            known = self._adapters[receiver.name] = (receiver, self._connect(receiver))
        return known[1]

    def _conclude(self, row: views.DeliveryRow, receiver: Configured, outcome: Outcome) -> None:
        attempt = row.attempts + 1
        concluded = deliveries.conclude(row, attempt, outcome, receiver.on_unknown, self._now(), self._draw())
        self._append(row, *concluded)
        for event in concluded:
            _say(row, event)

    def _append(self, row: views.DeliveryRow, event: ev.Event, *more: ev.Event, version: int | None = None) -> None:
        stream, receiver = f"delivery/{row.delivery_id}", f"receiver/{row.receiver}"
        events = [
            ev.NewEvent(stream=stream if isinstance(one, views.DELIVERY_EVENTS) else receiver, event=one)
            for one in (event, *more)
        ]
        self._store.append(Commit(events=tuple(events), expected={} if version is None else {stream: version}))


def _say(row: views.DeliveryRow, event: ev.Event) -> None:
    whom = f"receiver '{row.receiver}' ({row.recipient})"
    match event:
        case ev.DigestDelivered():
            log.info(f"{whom}: delivered", delivery=row.delivery_id, digest=row.digest_id)
        case ev.DeliveryIncomplete():
            log.warning(f"{whom}: refused for {'; '.join(event.refused)}", delivery=row.delivery_id)
        case ev.DeliveryFailed() | ev.DeliveryUnknown():
            then = f"next try {event.next_attempt:%H:%MZ}" if event.next_attempt else "held for a person"
            log.warning(f"{whom}: {event.error}; {then}", delivery=row.delivery_id, attempt=event.attempt)
        case _:
            pass


class Reckoning:
    """The instant last told, carried on by the monotonic clock: outcomes come later than the tick that began them,
    and the wall clock may be distrusted.
    """

    def __init__(self) -> None:
        self._told: datetime | None = None
        self._since = 0.0

    def set(self, now: datetime) -> None:
        self._told, self._since = now, time.monotonic()

    def __call__(self) -> datetime:
        assert self._told is not None, "the first tick tells the time"
        return self._told + timedelta(seconds=time.monotonic() - self._since)
