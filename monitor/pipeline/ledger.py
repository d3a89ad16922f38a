"""What a person does about deliveries that failed or are held: retry, release, discard."""

from __future__ import annotations

from collections.abc import Collection

from monitor.core import events as ev
from monitor.core import views
from monitor.errors import NotFound, UsageError
from monitor.ports import Commit, EventStore

_FROM = {
    "retry": ("failed", "held", "pending"),
    "release": ("held",),
    "discard": ("failed", "held", "pending"),
}


def change_deliveries(
    store: EventStore, action: str, ids: Collection[str], *, everything: bool = False, actor: str = "monitor"
) -> list[str]:
    """Retry, release or discard deliveries, by id or all that the action fits; returns the ids changed.

    `retry`: failed, held and waiting ones go out at the next look. `release`: held ones; with `everything` also the
    outbox that a restore held. `discard`: they never go out. Raises `NotFound`, and `UsageError` where one is in
    another state; then nothing is changed.
    """
    states = _FROM.get(action)
    if states is None:
        raise UsageError(f"'{action}' is not one of {', '.join(_FROM)}")
    if everything and ids:
        raise UsageError("give ids or --all, not both")
    if not everything and not ids:
        raise UsageError(f"which deliveries? give ids, or --all to {action} every one that is {' or '.join(states)}")
    rows = _all_of(store, action, states) if everything else [_one_of(store, action, states, id_) for id_ in ids]
    events: list[ev.NewEvent] = []
    released: set[str] = set()
    for row in rows:
        change: ev.Event = ev.DeliveryReleased(delivery_id=row.delivery_id)
        if action == "discard":
            change = ev.DeliveryDiscarded(delivery_id=row.delivery_id)
        elif row.receiver not in released:
            released.add(row.receiver)
            events += _release_receiver(store, row.receiver, actor)
        events.append(ev.NewEvent(stream=f"delivery/{row.delivery_id}", event=change, actor=actor))
    outbox = store.get(views.OUTBOX, views.CURRENT)
    if action == "release" and everything and outbox is not None and outbox.held:
        events.append(ev.NewEvent(stream="system", event=ev.OutboxReleased(), actor=actor))
    if events:
        store.append(Commit(events=tuple(events)))
    return [row.delivery_id for row in rows]


def _all_of(store: EventStore, action: str, states: Collection[str]) -> list[views.DeliveryRow]:
    # "all" never means those that go out by themselves anyway
    wanted = [state for state in states if state != "pending"]
    return [row for state in wanted for row in store.rows(views.DELIVERIES, facet=state)]


def _one_of(store: EventStore, action: str, states: Collection[str], delivery_id: str) -> views.DeliveryRow:
    row = store.get(views.DELIVERIES, delivery_id)
    if row is None:
        raise NotFound(f"no delivery has the id '{delivery_id}'; `monitor deliveries` lists them")
    if row.state not in states:
        raise UsageError(f"delivery '{delivery_id}' is {row.state}; {action} is for {' or '.join(states)} ones")
    if row.in_flight:
        raise UsageError(f"delivery '{delivery_id}' is being sent this moment; look again when that has ended")
    return row


def _release_receiver(store: EventStore, name: str, actor: str) -> list[ev.NewEvent]:
    row = store.get(views.RECEIVERS, name)
    if row is None or row.held is None:
        return []
    return [ev.NewEvent(stream=f"receiver/{name}", event=ev.ReceiverReleased(receiver=name), actor=actor)]
