"""Erasing a body: what may be erased, what is said about it, and which views held something of it."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.core.events import NewEvent, PayloadErased, Recorded
from monitor.errors import StoreError
from monitor.store.fold import AnyView

SYSTEM = "system"
"""The stream of what the log says about itself."""


def erasable(events: Iterable[Recorded]) -> list[Recorded]:
    """Those that still have a body. Raises `StoreError` for a `PayloadErased`, which is what vouches for a gap."""
    found = [event for event in events if event.event is not None]
    for event in found:
        if isinstance(event.event, PayloadErased):
            raise StoreError(f"position {event.position}: a PayloadErased vouches for a gap; nothing was erased")
    return found


def erasure(position: int, reason: str, actor: str) -> NewEvent:
    """The event that says so."""
    return NewEvent(stream=SYSTEM, event=PayloadErased(position=position, reason=reason), actor=actor)


def touched(views: Iterable[AnyView], events: Iterable[Recorded]) -> list[AnyView]:
    """The views that folded any of these events, and have to be folded anew without them."""
    with_bodies = [(event.event, event.position) for event in events if event.event is not None]
    return [view for view in views if any(view.keys(event, position) for event, position in with_bodies)]
