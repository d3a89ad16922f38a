"""Receivers, routes, and which receivers an alert goes to. The book is what `rules/receivers.yaml` says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from monitor.core.schedule import IMMEDIATE, Daily, Immediate, Schedule
from monitor.core.urls import redact_url
from monitor.matching.model import Severity

OUTBOX_PATH = "state/outbox"
FILE = "file"
REPEAT_MAX = 3


@dataclass(frozen=True, slots=True)
class Email:
    """Mail to addresses: one message and one delivery each, or one message for all of them `together`."""

    to: tuple[str, ...]
    together: bool = False

    @property
    def channel(self) -> str:
        return "email"

    @property
    def recipients(self) -> tuple[str, ...]:
        return (", ".join(self.to),) if self.together else self.to


@dataclass(frozen=True, slots=True)
class Webhook:
    """A POST to a URL, signed where there is a secret. `url`, `secret` and header values may hold `${NAME}`."""

    url: str
    secret: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def channel(self) -> str:
        return "webhook"

    @property
    def recipients(self) -> tuple[str, ...]:
        return (redact_url(self.url),)


@dataclass(frozen=True, slots=True)
class Outbox:
    """Complete messages in a maildir; `path` is relative to the working directory."""

    path: str = OUTBOX_PATH

    @property
    def channel(self) -> str:
        return "outbox"

    @property
    def recipients(self) -> tuple[str, ...]:
        return (self.path,)


Target = Email | Webhook | Outbox


class OnUnknown(StrEnum):
    """What to do where the peer may have a message already."""

    RESEND = "resend"
    HOLD = "hold"


class CatchUp(StrEnum):
    """What becomes of the slots that passed while nothing ran."""

    ONE = "one"  # one merged digest
    EACH = "each"  # a digest for each
    SKIP = "skip"  # none; the next digest lists by title what they would have told


class Fate(StrEnum):
    """What becomes of an alert event on its way to a receiver."""

    TELL = "tell"
    SILENCED = "silenced"
    DROPPED = "dropped"  # by quiet hours
    SKIPPED = "skipped"  # with a window that was missed
    DEFERRED = "deferred"  # to the first window after quiet hours


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When a receiver is not disturbed: what falls due then comes with the first window after, or, where they `drop`,
    what is raised then is only listed by title in the next digest. `pierce`: this severity and above is sent all the
    same; None: nothing is.
    """

    hours: Daily
    drop: bool = False
    pierce: Severity | None = None

    def pierced_by(self, severity: Severity) -> bool:
        """Whether alerts of this severity are sent all the same."""
        return self.pierce is not None and severity.rank >= self.pierce.rank

    def drops(self, severity: Severity, at: datetime) -> bool:
        """Whether an alert raised `at` is left out."""
        return self.drop and not self.pierced_by(severity) and self.hours.around(at) is not None


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who is told, how and when. `always`: also when there is nothing to say (scheduled receivers only). `repeat`:
    remind of what is open and not acknowledged so long, `repeat_max` times at most.
    """

    name: str
    target: Target
    schedule: Schedule = IMMEDIATE
    group_wait: timedelta = timedelta(seconds=60)
    always: bool = False
    on_unknown: OnUnknown = OnUnknown.RESEND
    catch_up: CatchUp = CatchUp.ONE
    quiet: QuietHours | None = None
    repeat: timedelta | None = None
    repeat_max: int = REPEAT_MAX

    @property
    def immediate(self) -> bool:
        return isinstance(self.schedule, Immediate)

    def quiet_at(self, *instants: datetime) -> bool:
        """Whether one of these lies in its quiet hours."""
        return self.quiet is not None and any(self.quiet.hours.around(at) for at in instants)

    def fate(self, severity: Severity, at: datetime, silence: str | None) -> Fate:
        """What becomes of an alert event recorded `at` and routed to this receiver."""
        if silence is not None:
            return Fate.SILENCED
        return Fate.DROPPED if self.quiet is not None and self.quiet.drops(severity, at) else Fate.TELL


@dataclass(frozen=True, slots=True)
class Route:
    """Alerts of these themes *and* with one of these tags (empty: any) at or above a severity go to these
    receivers.
    """

    to: tuple[str, ...]
    themes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    at_least: Severity = Severity.INFO
    stop: bool = False

    @property
    def takes_all(self) -> bool:
        """Whether every alert fits."""
        return not self.themes and not self.tags and self.at_least is Severity.INFO

    def fits(self, theme: str, tags: Collection[str], severity: Severity) -> bool:
        return (
            (not self.themes or theme in self.themes)
            and (not self.tags or any(tag in tags for tag in self.tags))
            and severity.rank >= self.at_least.rank
        )


@dataclass(frozen=True, slots=True)
class ReceiverBook:
    """All of `receivers.yaml`. `operator` names who hears of faults and gets what no route takes."""

    operator: tuple[str, ...]
    receivers: tuple[Receiver, ...]
    routes: tuple[Route, ...]

    def receiver(self, name: str) -> Receiver | None:
        """The receiver of this name, if it is configured."""
        return next((receiver for receiver in self.receivers if receiver.name == name), None)

    def route(self, theme: str, tags: Collection[str], severity: Severity) -> tuple[str, ...]:
        """The receivers that routes lead to, each once, in order of the routes; empty where none fits."""
        found: dict[str, None] = {}
        for route in self.routes:
            if route.fits(theme, tags, severity):
                found.update(dict.fromkeys(route.to))
                if route.stop:
                    break
        return tuple(found)

    def addressees(
        self, theme: str, tags: Collection[str], severity: Severity, *, rule_changed: bool = False
    ) -> tuple[str, ...]:
        """Who gets an alert: where routes lead, else the operator. What a changed rule found among old entries
        (`rule_changed`) waits for scheduled digests, those of the operator where no route leads to one; only where
        nobody reads such do immediate receivers get it, with their next message.
        """
        names = self.route(theme, tags, severity) or self.operator
        if rule_changed:
            return self._scheduled(names) or self._scheduled(self.operator) or names
        return names

    def _scheduled(self, names: Collection[str]) -> tuple[str, ...]:
        scheduled = {receiver.name for receiver in self.receivers if not receiver.immediate}
        return tuple(name for name in names if name in scheduled)


DEFAULT_OUTBOX = Receiver(name=FILE, target=Outbox(), group_wait=timedelta(0))
"""`state/outbox`, without a wait."""

DEFAULT_RECEIVERS = ReceiverBook(operator=(FILE,), receivers=(DEFAULT_OUTBOX,), routes=(Route(to=(FILE,)),))
"""What holds where nothing is configured: everything goes to the outbox at once."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What, besides the log's positions, decides a digest: receivers and routes, and of the rule book the themes with
    their tags.
    """

    book: ReceiverBook = DEFAULT_RECEIVERS
    themes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))  # id -> tags
    close_after: Mapping[str, timedelta] = field(default_factory=lambda: MappingProxyType({}))  # by theme
    rules_revision: str = ""
    revision: str = ""
    time_zone: str = "UTC"
    official: frozenset[str] = frozenset()  # sources of that tier

    def addressees(self, theme: str, severity: Severity, *, rule_changed: bool = False) -> tuple[str, ...]:
        """As `ReceiverBook.addressees`, with the tags that the theme has in this rule book."""
        return self.book.addressees(theme, self.themes.get(theme, ()), severity, rule_changed=rule_changed)
