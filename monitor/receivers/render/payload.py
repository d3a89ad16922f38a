"""A delivery as a webhook's JSON: `{"type": "digest", "timestamp": …, "data": {…}}`, the same bytes at each retry.

What tells of an edit of the rules has the type `receipt`, no alerts, and the receipt in `data.receipt`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from monitor.core import digests
from monitor.core.digests import AlertLine, Coverage, EntryLine, Notice, Omitted, Period, RuleLine, StoryLine
from monitor.core.excerpts import Passage
from monitor.core.receipts import Receipt
from monitor.matching.model import Evidence, Severity
from monitor.ports import Message


class Clause(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that was met, as its author wrote it."""

    rule: str
    severity: Severity
    when: str


class Hit(Evidence, frozen=True, kw_only=True):
    """Words that were found, and the rules that they helped to hold."""

    rules: tuple[str, ...]


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as `monitor alerts` prints it, with its evidence, its entries and where in the digest it stands."""

    alert_id: str
    theme: str
    theme_title: str
    severity: Severity
    state: str
    title: str
    reason: str
    story_id: str
    entry_ids: tuple[str, ...]
    sources: tuple[str, ...]
    raised_at: datetime
    position: int
    section: str
    url: str | None
    rules: tuple[Clause, ...]
    evidence: tuple[Hit, ...]
    passages: tuple[Passage, ...]
    entries: tuple[EntryLine, ...]


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The digest."""

    digest_id: str
    delivery_id: str
    receiver: str
    window: Period
    position: int
    head: str
    rules_revision: str
    alerts: tuple[Alert, ...]
    unlisted: int
    coverage: Coverage
    notices: tuple[Notice, ...]
    test: bool
    receipt: Receipt | msgspec.UnsetType
    omitted: Omitted | msgspec.UnsetType


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """The whole body."""

    type: str
    timestamp: datetime
    data: Data


def render_payload(message: Message) -> bytes:
    """The body to post."""
    digest = digests.decode(message.content)
    sections = (("new", digest.new), ("already_there", digest.already_there), ("rule_changed", digest.rule_changed))
    data = Data(
        digest_id=digest.digest_id, delivery_id=message.delivery_id, receiver=digest.receiver, window=digest.window,
        position=digest.position, head=digest.head, rules_revision=digest.rules_revision,
        alerts=tuple(
            _alert(alert, story, section) for section, stories in sections for story in stories
            for alert in story.alerts
        ),
        unlisted=digest.unlisted, coverage=digest.coverage, notices=digest.notices, test=digest.test,
        receipt=digest.receipt, omitted=digest.omitted,
    )  # fmt: skip
    return msgspec.json.encode(
        Payload(type="receipt" if digest.receipt else "digest", timestamp=message.composed_at, data=data)
    )


def _alert(alert: AlertLine, story: StoryLine, section: str) -> Alert:
    return Alert(
        alert_id=alert.alert_id, theme=alert.theme, theme_title=alert.theme_title, severity=alert.severity,
        state=alert.state, title=alert.title, reason=alert.reason, story_id=alert.story_id,
        entry_ids=alert.entry_ids, sources=alert.sources, raised_at=alert.raised_at, position=alert.position,
        section=section, url=story.url,
        rules=tuple(Clause(rule=rule.rule, severity=rule.severity, when=rule.when) for rule in alert.rules),
        evidence=tuple(_hits(alert.rules)),
        passages=story.passages, entries=story.entries,
    )  # fmt: skip


def _hits(rules: Iterable[RuleLine]) -> Iterator[Hit]:
    """Each hit once, in the order of the rules."""
    served: dict[Evidence, list[str]] = {}
    for rule in rules:
        for hit in rule.evidence:
            named = served.setdefault(hit, [])
            if rule.rule not in named:
                named.append(rule.rule)
    for hit, named in served.items():
        yield Hit(**msgspec.structs.asdict(hit), rules=tuple(named))
