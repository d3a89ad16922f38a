"""Alerts → windows → digests → deliveries. Positions of the log decide what a window holds; instants only when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import Lock

import structlog

from monitor.core import deliveries, digests, schedule, views
from monitor.core import events as ev
from monitor.core.entries import derived_id
from monitor.core.routing import CatchUp, Fate, Receiver
from monitor.core.trial import trial_digest
from monitor.errors import MonitorError, WrongVersion
from monitor.pipeline import detect
from monitor.pipeline.compose import Composer
from monitor.pipeline.deliver import Connect, Deliverer, Reckoning
from monitor.pipeline.elapsed import Elapsed
from monitor.pipeline.gather import Configure, Window, zone_of
from monitor.pipeline.ledger import change_deliveries as change_deliveries
from monitor.pipeline.pending import Lookout, Pending
from monitor.pipeline.replay import position_at
from monitor.ports import Commit, Draw, EventStore, Message, Outcome

log = structlog.get_logger()

MATCHING_WAIT = timedelta(seconds=60)
"""How long a due window waits for entries to be held against the rules."""

FAR = 20_000
"""After so many positions without anything to tell an immediate receiver, that is put on record."""

FAR_AHEAD = timedelta(days=1)

MOST_MISSED = 100
"""So many missed slots have a window each, under `catch_up: each`; what is older comes with the first of them."""

LATE = timedelta(hours=1)
"""A slot found so long after it was due is missed, for `catch_up: skip`."""

FIRST_POLLS_WAIT = timedelta(minutes=2)
"""How long an immediate window that holds "already there" alerts waits for other first polls: they are one message."""


class Notifier:
    """Closes windows, composes digests, sends them. Everything it must remember is in the log.

    `close_windows`, `next_wakeup`, `send_now` and `clock_set_back` block: call them from worker threads.
    `deliver_due`, `drained` and `stop` are coroutines of one event loop.
    Instants handed in are those of the guarded clock (`core.clocks`).
    """

    def __init__(
        self,
        store: EventStore,
        configure: Configure,
        connect: Connect,
        *,
        draw: Draw,
        subscription: str = detect.SUBSCRIPTION,
    ) -> None:
        self._store = store
        self._compose = Composer(store, configure, subscription)
        self._timeline = self._compose.timeline
        self._now = Reckoning()
        self._connect = connect
        self._deliverer = Deliverer(store, self._timeline, connect, draw, self._now)
        self._lookout = Lookout(self._compose.gather)
        self._elapsed = Elapsed(store, self._timeline)
        self._closing = Lock()  # a window closed by hand and one that is due must not meet
        self._waiting: dict[str, datetime] = {}
        self._waited_before: dict[str, datetime] = {}
        self._resumed = False

    def close_windows(self, now: datetime, *, settle: bool = False) -> int:
        """Close every window that is due, compose its digest, plan its deliveries; returns how many closed.

        Before, what time has brought is put on record: silences that end, alerts that close, reminders. A window, its
        digest and the planned deliveries are one commit. `settle`: `group_wait` counts as elapsed and
        nothing is waited for (`run --once`). One receiver's trouble does not stop the others.
        """
        with self._closing:
            return self._close_windows(now, settle)

    def _close_windows(self, now: datetime, settle: bool) -> int:
        self._now.set(now)
        self._resume(now)
        self._elapsed.step(now)
        self._waited_before, self._waiting = self._waiting, {}
        closed = 0
        configuration = self._timeline.current()
        for receiver in configuration.book.receivers:
            try:
                closed += self._close(receiver, now, settle)
            except WrongVersion:
                continue  # someone else closed it; the next look sees that
            except MonitorError:
                raise  # the store's trouble, and so everyone's
            except Exception:
                log.exception("a window could not be closed and is tried again", receiver=receiver.name)
        return closed

    async def deliver_due(self, now: datetime) -> int:
        """Put what is due on its way and return at once; a slow receiver keeps only its own deliveries waiting.

        An attempt found without outcome (the program died) becomes `DeliveryUnknown`: sent again under the same id,
        or held.
        """
        return await self._deliverer.start_due(now)

    async def drained(self, seconds: float | None = None) -> bool:
        """Wait until nothing is being sent; False where that takes longer."""
        return await self._deliverer.drained(seconds)

    async def stop(self, grace: float) -> None:
        """Begin nothing more; what is being sent may end within `grace` seconds."""
        await self._deliverer.stop(grace)

    def next_wakeup(self, now: datetime) -> datetime | None:
        """The earliest instant at which a window closes or a delivery is due; None: nothing in sight.

        What waits for matching or first polls counts as due now.
        """
        with self._closing:
            moments = [self._deliverer.next_due(now), *self._windows_to_come(now)]
        return min((moment for moment in moments if moment is not None), default=None)

    def _windows_to_come(self, now: datetime) -> Iterator[datetime]:
        for receiver in self._timeline.current().book.receivers:
            if receiver.immediate:
                yield from self._message_to_come(receiver, now)
            elif (slot := schedule.next_slot(receiver.schedule, now)) is not None:
                yield slot.due
        if self._waiting:
            yield now

    def _message_to_come(self, receiver: Receiver, now: datetime) -> Iterator[datetime]:
        quiet = receiver.quiet.hours.around(now) if receiver.quiet else None
        pending = self._lookout.known(receiver.name)
        asking = pending.asking(receiver, receiver.quiet if quiet else None) if pending else None
        if asking is not None:
            yield asking.due
        elif quiet is not None:
            row = self._store.get(views.RECEIVERS, receiver.name)
            if (pending and pending.asking(receiver, None)) or (row and row.deferred):
                yield quiet[1]

    def clock_set_back(self, step: timedelta) -> None:
        """The clock was set back by `step` (positive): nothing that waits is delayed by it."""
        self._deliverer.clock_set_back(step)

    def send_now(self, name: str, *, actor: str) -> str | None:
        """Close the receiver's window at once; the digest's id, or None where there is nothing to say.

        The window that is due by its schedule comes all the same, and holds what came after this. Raises `NotFound`.
        """
        with self._closing:
            version, now = self._store.version(f"receiver/{name}"), self._now()
            receiver, window = self._compose.receiver(name), self._compose.window_now(name, now)
            return self._append(receiver, window, now, version, actor=actor)

    async def send_trial(self, name: str) -> list[tuple[str, Outcome]]:
        """Send a marked test message to a receiver's every address, past the log; what came of each.

        Raises `NotFound`.
        """
        receiver = await asyncio.to_thread(self._compose.receiver, name)
        adapter, now = self._connect(receiver), self._now()
        digest = await asyncio.to_thread(self._trial, receiver, now)
        content, _ = digests.encode(digest)
        outcomes = []
        for planned in deliveries.plan(digest.digest_id, receiver):
            message = Message(
                delivery_id=planned.delivery_id, digest_id=digest.digest_id, recipient=planned.recipient,
                composed_at=now, content=content,
            )  # fmt: skip
            outcomes.append((planned.recipient, await adapter.send(message)))
        return outcomes

    def _trial(self, receiver: Receiver, now: datetime) -> digests.Digest:
        head = self._store.head()
        zone = zone_of(receiver, self._timeline.current())
        window = derived_id("win", head.hash, receiver.name, "test", now.isoformat())
        return trial_digest(receiver.name, window, now, zone, self._compose.gather.coverage(head.position, 0))

    def _close(self, receiver: Receiver, now: datetime, settle: bool) -> int:
        """Close what is due of one receiver; returns how many windows that was."""
        for closed in range(MOST_MISSED + 2):
            if not self._close_next(receiver, now, settle):
                return closed
        return MOST_MISSED + 2

    def _close_next(self, receiver: Receiver, now: datetime, settle: bool) -> bool:
        version = self._store.version(f"receiver/{receiver.name}")
        row = self._store.get(views.RECEIVERS, receiver.name)
        if row is None:
            return False  # configured a moment ago; `ReceiverAdded` is on its way
        upto = self._store.head().position
        window = self._immediate(receiver, row, upto, now, version, settle) if receiver.immediate else None
        if not receiver.immediate:
            window = self._scheduled(receiver, row, upto, now)
        if window is None:
            return False
        if not settle and self._better_later(receiver, window, now):
            return False
        self._append(receiver, window, now, version)
        return True

    def _better_later(self, receiver: Receiver, window: Window, now: datetime) -> bool:
        """Whether to give entries that are on their way a little time to make it into the window."""
        if not receiver.immediate:
            return window.unmatched > 0 and not self._waited(window.window_id, now, MATCHING_WAIT)
        pending = self._lookout.known(receiver.name)
        if pending is None or not pending.already_there:
            return False
        return (window.unmatched > 0 or self._first_polls(now)) and not self._waited(
            window.window_id, now, FIRST_POLLS_WAIT
        )

    def _scheduled(self, receiver: Receiver, row: views.ReceiverRow, upto: int, now: datetime) -> Window | None:
        slot = schedule.last_slot(receiver.schedule, now)
        # One more than a day to come was written under a clock far ahead; it holds nothing up. One that is nearer was
        # written before the clock was set back: yesterday's slot is not due again.
        told = [past for past in (row.added_at, row.last_due) if past is not None and past <= now + FAR_AHEAD]
        if slot is None or any(slot.due <= past for past in told):
            return None
        if self._store.get(views.WINDOWS, schedule.window_id(receiver.name, slot)) is not None:
            return None
        missed = schedule.missed(receiver.schedule, max(told, default=slot.due), slot, MOST_MISSED)
        mode = ev.WindowMode.WHOLE
        if receiver.catch_up is CatchUp.EACH and missed:
            slot = missed[0]
        elif receiver.catch_up is CatchUp.SKIP and (late := [one for one in (*missed, slot) if now - one.due > LATE]):
            slot, mode = late[-1], ev.WindowMode.SKIPPED
        if mode is ev.WindowMode.SKIPPED or slot in missed:
            # What came while it was missed: here no position of the log tells, only what the clock said then.
            upto = max(row.upto, position_at(self._store, slot.due, upto))
        if mode is ev.WindowMode.WHOLE and receiver.quiet_at(slot.due, now):
            mode = ev.WindowMode.PIERCED
        return self._compose.window(row, schedule.window_id(receiver.name, slot), upto, slot.due, mode)

    def _immediate(
        self, receiver: Receiver, row: views.ReceiverRow, upto: int, now: datetime, version: int, settle: bool
    ) -> Window | None:
        operator = receiver.name in self._timeline.current().book.operator
        pending = self._lookout.look(receiver.name, row.upto, upto, operator=operator)
        quiet = receiver.quiet if receiver.quiet_at(now) else None
        if row.deferred and quiet is None:
            window_id = derived_id("win", receiver.name, "after quiet hours", str(row.upto))
            return self._compose.window(row, window_id, upto, now)
        asking = pending.asking(receiver, quiet)
        if asking is None:
            self._pass_over(row, pending, version)
            return None
        # What was recorded before the clock was set back has waited.
        if not settle and asking.since <= now < asking.due:
            return None
        mode = ev.WindowMode.WHOLE if quiet is None else ev.WindowMode.PIERCED
        window_id = schedule.immediate_window_id(receiver.name, asking.position)
        return self._compose.window(row, window_id, upto, asking.last, mode)

    def _pass_over(self, row: views.ReceiverRow, pending: Pending, version: int) -> None:
        """Now and then put on record how far there was nothing for a receiver, so that no restart looks there again."""
        if pending.seen - pending.after < FAR or pending.noticed or row.deferred:
            return
        if any(one.fate is Fate.TELL for one in pending.rows):
            return
        closed = ev.WindowClosed(
            window_id=derived_id("win", row.receiver, "nothing", str(pending.after), str(pending.seen)),
            receiver=row.receiver, after=pending.after, upto=pending.seen, due=row.last_due or row.added_at,
            unmatched=0, left_out=len(pending.rows),
        )  # fmt: skip
        stream = f"receiver/{row.receiver}"
        self._store.append(Commit(events=(ev.NewEvent(stream=stream, event=closed),), expected={stream: version}))

    def _first_polls(self, now: datetime) -> bool:
        return any(poll.polled == 0 and poll.failures == 0 for poll in self._store.due(now, 1000))

    def _waited(self, window_id: str, now: datetime, limit: timedelta) -> bool:
        since = self._waiting[window_id] = self._waited_before.get(window_id, now)
        return not timedelta(0) <= now - since < limit

    def _append(
        self, receiver: Receiver, window: Window, now: datetime, version: int, *, actor: str = "monitor"
    ) -> str | None:
        pending = self._lookout.forget(receiver.name)
        looked = pending is not None and (pending.after, pending.seen) == (window.after, window.upto)
        if pending is not None and looked:
            routed = pending.rows
        else:
            routed = list(self._compose.gather.routed(receiver.name, window.after, window.upto))
        composed = self._compose.composed(receiver, window, now, routed)
        closed = self._compose.closed(window, routed, told=composed is not None)
        stream = f"receiver/{receiver.name}"
        events = [ev.NewEvent(stream=stream, event=closed, dedupe=f"window:{window.window_id}", actor=actor)]
        if composed is not None:
            events.append(_digest_event(stream, composed, actor))
        self._store.append(Commit(events=tuple(events), expected={stream: version}))
        self._waiting.pop(window.window_id, None)
        if composed is None:
            return None
        log.info(
            f"receiver '{receiver.name}': digest composed", digest=composed.digest_id, position=window.upto,
            deliveries=len(composed.deliveries),
        )  # fmt: skip
        return composed.digest_id

    def _resume(self, now: datetime) -> None:
        """Compose what a window lacks its digest for: closed, and then the program died or the log was cut there."""
        if self._resumed:
            return
        for row in self._store.rows(views.RECEIVERS):
            known = self._store.get(views.WINDOWS, row.last_window_id) if row.last_window_id else None
            if known is None or known.digest_id is not None:
                continue
            receiver = self._timeline.at(known.upto).book.receiver(row.receiver)
            composed = self._compose.composed(receiver, self._compose.window_then(known), now) if receiver else None
            if composed is not None:
                event = _digest_event(f"receiver/{row.receiver}", composed, "monitor")
                self._store.append(Commit(events=(event,)))
        self._resumed = True


def _digest_event(stream: str, composed: ev.DigestComposed, actor: str) -> ev.NewEvent:
    return ev.NewEvent(stream=stream, event=composed, dedupe=f"digest:{composed.digest_id}", actor=actor)
