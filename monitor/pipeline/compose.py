"""Windows and their digests, from the log alone: what closes next, what would, what once did."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from monitor.core import deliveries, digests, views
from monitor.core import events as ev
from monitor.core.entries import derived_id
from monitor.core.routing import Receiver
from monitor.core.windows import Routed
from monitor.errors import NotFound
from monitor.pipeline import detect
from monitor.pipeline.gather import Configure, Gatherer, Timeline, Window, unmatched
from monitor.ports import EventStore


class Composer:
    """Composes digests of windows, past and present; appends nothing. Methods block; one caller at a time."""

    def __init__(self, store: EventStore, configure: Configure, subscription: str = detect.SUBSCRIPTION) -> None:
        self._store = store
        self._subscription = subscription
        self.timeline = Timeline(store, configure)
        self.gather = Gatherer(store, self.timeline)

    def receiver(self, name: str) -> Receiver:
        """A configured receiver. Raises `NotFound`."""
        book = self.timeline.current().book
        receiver = book.receiver(name)
        if receiver is None:
            known = ", ".join(receiver.name for receiver in book.receivers)
            raise NotFound(f"no receiver is called '{name}'; known: {known}")
        return receiver

    def window(
        self,
        row: views.ReceiverRow,
        window_id: str,
        upto: int,
        due: datetime,
        mode: ev.WindowMode = ev.WindowMode.WHOLE,
    ) -> Window:
        """The receiver's next window, if it closes at `upto`."""
        checkpoint = self._store.checkpoint(self._subscription)
        return Window(
            window_id=window_id, receiver=row.receiver, after=row.upto, upto=upto, since=row.last_due or row.added_at,
            due=due, unmatched=unmatched(self._store, checkpoint, upto), mode=mode, carried=row.carried,
        )  # fmt: skip

    def window_now(self, name: str, now: datetime) -> Window:
        """The receiver's window, if it is closed by hand now. Raises `NotFound`."""
        self.receiver(name)
        row = self._store.get(views.RECEIVERS, name)
        if row is None:
            raise NotFound(f"receiver '{name}' was never adopted; start the daemon, or `monitor run --once`")
        upto = self._store.head().position
        return self.window(row, derived_id("win", name, "by hand", str(row.upto), str(upto)), upto, now)

    def window_then(self, row: views.WindowRow) -> Window:
        """A window as it was when it closed."""
        before: views.ReceiverRow | None = None
        for recorded in self._store.read(stream=f"receiver/{row.receiver}", upto=row.position - 1):
            if recorded.event is not None and row.receiver in views.RECEIVERS.keys(recorded.event, recorded.position):
                before = views.RECEIVERS.fold(before, recorded, row.receiver)
        assert before is not None, "a window's receiver was added before it"
        return Window(
            window_id=row.window_id, receiver=row.receiver, after=row.after, upto=row.upto,
            since=before.last_due or before.added_at, due=row.due, unmatched=row.unmatched, mode=row.mode,
            carried=before.carried, before=row.position - 1,
        )  # fmt: skip

    def closed(self, window: Window, routed: Iterable[Routed], *, told: bool) -> ev.WindowClosed:
        """The event for a window's end; `routed` as in `Gatherer.contents`. `told`: whether a digest tells of it."""
        contents = self.gather.contents(window, routed)
        notices = () if told else self.gather.notices_for(window.receiver, window.after, window.upto)
        return ev.WindowClosed(
            window_id=window.window_id, receiver=window.receiver, after=window.after, upto=window.upto,
            due=window.due, unmatched=window.unmatched, mode=window.mode, left_out=len(contents.left_out),
            deferred=len(contents.deferred) + len(notices),
        )  # fmt: skip

    def composed(
        self, receiver: Receiver, window: Window, now: datetime, routed: Iterable[Routed] | None = None
    ) -> ev.DigestComposed | None:
        """The event for a window's digest, or None where there is nothing to say; `routed` as in `contents`."""
        if window.mode is ev.WindowMode.SKIPPED:
            return None
        digest = self.gather.compose(window, routed)
        if window.mode is ev.WindowMode.PIERCED and not digest.stories:
            return None
        if digest.empty and not receiver.always:
            return None
        content, content_hash = digests.encode(digest)
        return ev.DigestComposed(
            digest_id=digest.digest_id, window_id=window.window_id, receiver=window.receiver, upto=window.upto,
            composed_at=now, content=content, content_hash=content_hash,
            deliveries=deliveries.plan(digest.digest_id, receiver),
        )  # fmt: skip

    def preview(self, name: str, now: datetime) -> digests.Digest:
        """What this receiver would get if its window closed now. Raises `NotFound`."""
        return self.gather.compose(self.window_now(name, now))

    def stored(self, digest_id: str) -> ev.DigestComposed:
        """A digest as it was composed. Raises `NotFound`."""
        row = self._store.get(views.DIGESTS, digest_id)
        if row is None:
            raise NotFound(f"no digest has the id '{digest_id}'")
        composed = self._store.at(row.position).event
        if not isinstance(composed, ev.DigestComposed):
            raise NotFound(f"digest '{digest_id}' was erased at position {row.position}")
        return composed

    def rebuild(self, digest_id: str) -> tuple[ev.DigestComposed, digests.Digest]:
        """A digest as it was composed, and as it is composed anew from the log; unless something is wrong they say the
        same, byte for byte. For one that is no receipt. Raises `NotFound`.
        """
        composed = self.stored(digest_id)
        window = self._store.get(views.WINDOWS, composed.window_id)
        assert window is not None, "a digest that is no receipt has a window"
        return composed, self.gather.compose(self.window_then(window))
