"""Files as read → what is in force. Each adoption or refusal is an event; the decisions are `core.adoption`'s."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from monitor.core import adoption, views
from monitor.core import events as ev
from monitor.errors import Fault
from monitor.ports import Commit, EventStore

RULES_STREAM = "rulebook"
CONFIGURATION_STREAM = "configuration"


def adopt_rules(store: EventStore, files: Mapping[str, str], faults: Sequence[Fault]) -> ev.Event | None:
    """Adopt or refuse rule files (path relative to `rules/` -> text); returns what was appended, if anything."""
    event = adoption.adopt_rules(store.get(views.RULE_BOOK, views.CURRENT), files, faults)
    if event is not None:
        _append(store, RULES_STREAM, event)
    return event


def adopt_configuration(
    store: EventStore,
    in_force: Mapping[str, str],
    on_disk: Mapping[str, str],
    settings: Mapping[str, str],
    versions: Mapping[str, str],
    faults: Sequence[Fault],
) -> bool:
    """Adopt `receivers.yaml` and `sources.yaml` with what else shapes a digest; True where something was adopted.

    `in_force` holds for a faulty file the text that stays in force; the faults of the files `on_disk` are said once.
    """
    current = store.get(views.CONFIGURATION, views.CURRENT)
    adopted = adoption.adopt_configuration(current, in_force, settings, versions, faulty=bool(faults))
    if adopted is not None:
        _append(store, CONFIGURATION_STREAM, adopted)
        current = store.get(views.CONFIGURATION, views.CURRENT)
    refused = adoption.refuse_configuration(current, on_disk, faults)
    if refused is not None:
        _append(store, CONFIGURATION_STREAM, refused)
    return adopted is not None


def adopt_receivers(store: EventStore, configured: Collection[str]) -> None:
    """Tell the log which receivers came and went, so that each starts with alerts raised after it came."""
    known = [row.receiver for row in store.rows(views.RECEIVERS)]
    changes = adoption.receiver_changes(known, configured)
    if changes:
        events = (ev.NewEvent(stream=f"receiver/{change.receiver}", event=change) for change in changes)
        store.append(Commit(events=tuple(events)))


def _append(store: EventStore, stream: str, event: ev.Event) -> None:
    version = store.version(stream)
    store.append(Commit(events=(ev.NewEvent(stream=stream, event=event),), expected={stream: version}))
