"""What commands do to the log: one function an act, run by the daemon or, where none runs, by the command itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from monitor.app import Monitor, wall_clock
from monitor.core import events as ev
from monitor.core import views
from monitor.errors import NotFound, UsageError
from monitor.pipeline.ledger import change_deliveries
from monitor.pipeline.silencing import Matchers, add_silence, expire_silence
from monitor.pipeline.stories import merge_stories, split_story
from monitor.ports import Commit

Act = Callable[[Monitor, Mapping[str, Any], str], Awaitable[dict[str, Any]]]

VERDICTS = ("relevant", "noise")
MAX_NOTE = 4000


async def perform(monitor: Monitor, act: str, args: Mapping[str, Any], actor: str) -> dict[str, Any]:
    """Do an act and answer with what came of it, `position` at least. Raises `MonitorError`."""
    do = ACTS.get(act)
    if do is None:
        raise UsageError(f"the daemon does not know the act '{act}'; is it of another version than this command?")
    return await do(monitor, args, actor)


async def ingest(monitor: Monitor, args: Mapping[str, Any], actor: str) -> dict[str, Any]:
    """Read the given documents and feeds once, or all sources, due or not; match what came."""
    before = monitor.store.count(views.ALERTS)
    report = await monitor.ingest([str(item) for item in args["items"]], actor)
    return {
        "position": monitor.store.head().position,
        "observed": report.observed,
        "revised": report.revised,
        "alerts": monitor.store.count(views.ALERTS) - before,
        "faults": list(report.faults),
    }


async def acknowledge(monitor: Monitor, args: Mapping[str, Any], actor: str) -> dict[str, Any]:
    """Take note of an alert; with `close` it is done with."""
    alert = await _alert(monitor, args["alert"])
    events: list[ev.Event] = []
    if alert.state in ("open", "silenced"):
        events.append(ev.AlertAcknowledged(alert_id=alert.alert_id))
    if args["close"] and alert.state != "closed":
        events.append(ev.AlertClosed(alert_id=alert.alert_id, reason="acknowledged"))
    return await _append(monitor, alert, events, actor)


async def verdict(monitor: Monitor, args: Mapping[str, Any], actor: str) -> dict[str, Any]:
    """Put an analyst's word on an alert on record."""
    if args["verdict"] not in VERDICTS:
        raise UsageError(f"'{args['verdict']}' is not a verdict; say {' or '.join(VERDICTS)}")
    if len(args["note"]) > MAX_NOTE:
        raise UsageError(f"the note has {len(args['note'])} characters; at most {MAX_NOTE} are kept")
    alert = await _alert(monitor, args["alert"])
    given = ev.VerdictGiven(alert_id=alert.alert_id, verdict=args["verdict"], note=args["note"])
    return await _append(monitor, alert, [given], actor)


async def merge(monitor: Monitor, args: Mapping[str, Any], actor: str) -> dict[str, Any]:
    """Make two stories one."""
    return {"position": await asyncio.to_thread(merge_stories, monitor.store, args["story"], args["other"], actor)}


async def split(monitor: Monitor, args: Mapping[str, Any], actor: str) -> dict[str, Any]:
    """Take entries out of a story."""
    position, story_id = await asyncio.to_thread(split_story, monitor.store, args["story"], args["entries"], actor)
    return {"position": position, "story_id": story_id}


async def silence(monitor: Monitor, args: Mapping[str, Any], actor: str) -> dict[str, Any]:
    """Keep from being sent what fits, for a time."""
    matchers = msgspec.convert(args["matchers"], Matchers)
    now = wall_clock()
    until = datetime.fromisoformat(args["until"]) if args["until"] else now + timedelta(seconds=args["seconds"])
    added = await asyncio.to_thread(add_silence, monitor.store, matchers, until, args["reason"], now=now, actor=actor)
    return {"position": monitor.store.head().position, "silence_id": added, "until": until.isoformat()}


async def expire(monitor: Monitor, args: Mapping[str, Any], actor: str) -> dict[str, Any]:
    """End a silence."""
    changed = await asyncio.to_thread(expire_silence, monitor.store, args["silence"], actor=actor)
    return {"position": monitor.store.head().position, "changed": changed}


async def rebuild(monitor: Monitor, args: Mapping[str, Any], actor: str) -> dict[str, Any]:
    """Fold views anew and swap them in."""
    names = args["views"] or [view.name for view in views.ALL]
    await asyncio.to_thread(monitor.store.rebuild, names)
    return {"position": monitor.store.head().position, "views": names}


async def deliveries(monitor: Monitor, args: Mapping[str, Any], actor: str) -> dict[str, Any]:
    """Retry, release or discard deliveries."""
    changed = await asyncio.to_thread(
        change_deliveries, monitor.store, args["action"], args["ids"], everything=args["all"], actor=actor
    )
    return {"position": monitor.store.head().position, "changed": changed}


async def send_digest(monitor: Monitor, args: Mapping[str, Any], actor: str) -> dict[str, Any]:
    """Close a receiver's window now, and send what it holds."""
    await monitor.detect()
    await monitor.close_windows()
    digest_id = await asyncio.to_thread(monitor.notifier.send_now, args["receiver"], actor=actor)
    await monitor.send()
    return {"position": monitor.store.head().position, "digest_id": digest_id}


async def try_receiver(monitor: Monitor, args: Mapping[str, Any], actor: str) -> dict[str, Any]:
    """Send a marked test message, past the log; an outcome for every address."""
    await monitor.close_windows()
    outcomes = await monitor.notifier.send_trial(args["receiver"])
    return {
        "position": monitor.store.head().position,
        "outcomes": [[recipient, outcome.state, outcome.detail] for recipient, outcome in outcomes],
    }


ACTS: Mapping[str, Act] = {
    "ingest": ingest,
    "ack": acknowledge,
    "verdict": verdict,
    "silence add": silence,
    "silence expire": expire,
    "story merge": merge,
    "story split": split,
    "rebuild": rebuild,
    "deliveries": deliveries,
    "digest send": send_digest,
    "receivers test": try_receiver,
}


async def _alert(monitor: Monitor, alert_id: str) -> views.AlertRow:
    alert = await asyncio.to_thread(monitor.store.get, views.ALERTS, alert_id)
    if alert is None:
        raise NotFound(f"no alert has the id '{alert_id}'; `monitor alerts` lists them")
    return alert


async def _append(monitor: Monitor, alert: views.AlertRow, events: list[ev.Event], actor: str) -> dict[str, Any]:
    if not events:
        return {"position": monitor.store.head().position, "changed": False}
    stream = f"alert/{alert.alert_id}"
    commit = Commit(events=tuple(ev.NewEvent(stream=stream, event=event, actor=actor) for event in events))
    appended = await asyncio.to_thread(monitor.store.append, commit)
    return {"position": appended[-1].position, "changed": True}


def absolute(item: str) -> str:
    """A path as the daemon, which runs in another folder, must read it; URLs stay."""
    return item if "://" in item else str(Path(item).absolute())
