"""A newsroom in miniature for the notifier's tests: a log, alerts by one call, receivers that do as they are told."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from types import MappingProxyType
from typing import Any

from monitor.core import events as ev
from monitor.core import views
from monitor.core.alerts import alert_id
from monitor.core.deliveries import Result
from monitor.core.entries import Arrival
from monitor.core.routing import (
    DEFAULT_RECEIVERS,
    Configuration,
    Outbox,
    Receiver,
    ReceiverBook,
    Route,
)
from monitor.core.stories import start_story
from monitor.matching.model import Evidence, RuleMatch, Severity
from monitor.pipeline.compose import Composer
from monitor.pipeline.notify import Notifier
from monitor.ports import Commit, EventStore, Message, Outcome
from monitor.store.memory import MemoryStore
from tests.builders import observed, parsed_entry
from tests.fakes import ManualClock, ScriptedDraw

THEME = "harbour-watch"
TITLE = "Harbour watch"
DELIVERED = Outcome(state=Result.DELIVERED, detail="ok")


def failed(detail: str = "HTTP 503", **fields: Any) -> Outcome:
    return Outcome(state=Result.FAILED, detail=detail, **fields)


UNKNOWN = Outcome(state=Result.UNKNOWN, detail="the line dropped after the data")


def book(*receivers: Receiver, routes: Sequence[Route] | None = None, operator: Sequence[str] = ()) -> ReceiverBook:
    """A book in which, unless routes are given, everything goes to everyone."""
    names = tuple(receiver.name for receiver in receivers)
    return ReceiverBook(
        operator=tuple(operator) or names[:1],
        receivers=receivers,
        routes=tuple(routes) if routes is not None else (Route(to=names),),
    )


def outbox(name: str = "file", **fields: Any) -> Receiver:
    """An immediate outbox receiver without a wait, unless said otherwise."""
    return Receiver(**{"name": name, "target": Outbox(f"state/{name}"), "group_wait": timedelta(0), **fields})


@dataclass
class ScriptedReceiver:
    """Answers each message with the next outcome, then with the last for ever; remembers what it was sent."""

    outcomes: list[Outcome] = field(default_factory=lambda: [DELIVERED])
    sent: list[Message] = field(default_factory=list)
    gate: asyncio.Event | None = None
    on_send: Callable[[], None] = lambda: None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Message) -> Outcome:
        self.sent.append(message)
        self._changed.set()
        self.on_send()
        if self.gate is not None:
            await self.gate.wait()
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]

    async def until_sent(self, number: int) -> None:
        """Wait until so many messages were handed over."""
        async with asyncio.timeout(10):
            while len(self.sent) < number:
                self._changed.clear()
                await self._changed.wait()

    @property
    def ids(self) -> list[str]:
        return [message.delivery_id for message in self.sent]


class Desk:
    """A log with a book in force, receivers by name, and a notifier that can be restarted."""

    def __init__(self, configured: ReceiverBook = DEFAULT_RECEIVERS, *, store: EventStore | None = None) -> None:
        self.clock = ManualClock()
        self.store = store or MemoryStore(views=views.ALL, clock=self.clock, entropy=entropy())
        self.receivers: dict[str, ScriptedReceiver] = {}
        self.books: dict[str, ReceiverBook] = {}
        self.themes = {THEME: ("ports",)}
        self.close_after: dict[str, timedelta] = {}
        self._numbers = count(1)
        self.adopt(configured)
        self.restart()

    def restart(self) -> None:
        """A new process over the same log."""
        self.notifier = Notifier(self.store, self.configure, self.connect, draw=ScriptedDraw([0.5]))
        self.composer = Composer(self.store, self.configure)

    def adopt(self, configured: ReceiverBook) -> None:
        """Put a book into force, and say which receivers came and went."""
        before = {row.receiver for row in self.store.rows(views.RECEIVERS)}
        names = {receiver.name for receiver in configured.receivers}
        revision = f"book-{len(self.books) + 1}"
        self.books[revision] = configured
        adopted = ev.ConfigurationAdopted(revision=revision, changed={}, removed=(), settings={}, versions={})
        self.append("configuration", adopted)
        for name in sorted(names - before):
            self.append(f"receiver/{name}", ev.ReceiverAdded(receiver=name))
        for name in sorted(before - names):
            self.append(f"receiver/{name}", ev.ReceiverRemoved(receiver=name))

    def receiver(self, name: str = "file") -> ScriptedReceiver:
        return self.receivers.setdefault(name, ScriptedReceiver())

    def append(self, stream: str, *events: ev.Event) -> None:
        self.store.append(Commit(events=tuple(ev.NewEvent(stream=stream, event=event) for event in events)))

    def alert(
        self,
        title: str | None = None,
        text: str = "The crane at the harbour stands still. Nobody knows why.",
        words: Iterable[str] = ("crane",),
        *,
        severity: Severity = Severity.MEDIUM,
        theme: str = THEME,
        arrival: Arrival = Arrival.NEW,
        reason: ev.AlertReason = ev.AlertReason.FIRST_MATCH,
        source_id: str = "port-news",
        silence: str | None = None,
        **fields: Any,
    ) -> str:
        """An entry that met a rule, and the alert it raised; returns the alert's id."""
        title = title or f"Crane number {next(self._numbers)} stands still"
        entry = observed(
            parsed_entry(title, text, **fields), source_id=source_id, first_seen=self.clock(), arrival=arrival
        )
        story = start_story(entry)
        rule = RuleMatch(rule="stop", severity=severity, when="crane", evidence=tuple(evidence(title, text, words)))
        matched = ev.EntryMatched(
            entry_id=entry.entry_id, revision=1, theme=theme, book="rules-1", mode="live", rules=(rule,)
        )
        raised = ev.AlertRaised(
            alert_id=alert_id(theme, story.story_id), theme=theme, theme_title=TITLE, severity=severity, title=title,
            reason=reason, story_id=story.story_id, entry_id=entry.entry_id, source_id=source_id, rules=("stop",),
            arrival=arrival, silence=silence,
        )  # fmt: skip
        self.append(f"entry/{entry.entry_id}", entry)
        self.store.append(
            Commit(
                events=(
                    ev.NewEvent(stream=f"story/{story.story_id}", event=story),
                    ev.NewEvent(stream=f"entry/{entry.entry_id}", event=matched),
                    ev.NewEvent(stream=f"alert/{raised.alert_id}", event=raised),
                ),
                checkpoint=("detect", self.store.checkpoint("detect"), self.store.head().position),
            )
        )
        return raised.alert_id

    def unmatched_entry(self, title: str = "Not looked at yet") -> str:
        """An entry that `detect` has not reached."""
        entry = observed(parsed_entry(title))
        self.append(f"entry/{entry.entry_id}", entry)
        return entry.entry_id

    def close(self, **options: bool) -> int:
        return self.notifier.close_windows(self.clock(), **options)

    async def deliver(self) -> None:
        """Send what is due and wait for its outcomes."""
        await self.notifier.deliver_due(self.clock())
        assert await self.notifier.drained(20)

    async def turn(self, **options: bool) -> None:
        """What a cycle of the daemon does with alerts."""
        self.close(**options)
        await self.deliver()

    def events(self, *types: type[ev.Event]) -> list[Any]:
        """The log's events of these types, in order."""
        names = [kind.__name__ for kind in types]
        return [recorded.event for recorded in self.store.read(types=names)]

    def digests(self, receiver: str | None = None) -> list[ev.DigestComposed]:
        composed: list[ev.DigestComposed] = self.events(ev.DigestComposed)
        return [event for event in composed if receiver in (None, event.receiver)]

    def deliveries(self) -> list[views.DeliveryRow]:
        return list(self.store.rows(views.DELIVERIES))

    def configure(self, rules: views.BookRow | None, configuration: views.BookRow | None) -> Configuration:
        revision = configuration.revision if configuration else ""
        return Configuration(
            book=self.books.get(revision, DEFAULT_RECEIVERS),
            themes=MappingProxyType(dict(self.themes)),
            close_after=MappingProxyType(dict(self.close_after)),
            rules_revision=rules.revision if rules else "rules-1",
            revision=revision,
        )

    def connect(self, receiver: Receiver) -> ScriptedReceiver:
        return self.receiver(receiver.name)


def evidence(title: str, text: str, words: Iterable[str]) -> Iterator[Evidence]:
    """Each word's first place in title and text."""
    for field_name, value in (("title", title), ("text", text)):
        for word in words:
            start = value.find(word)
            if start >= 0:
                yield Evidence(concept=word, term=word, field=field_name, start=start, end=start + len(word), text=word)


def entropy() -> Callable[[int], bytes]:
    numbers = count(1)
    return lambda size: hashlib.shake_256(next(numbers).to_bytes(8, "big")).digest(size)
