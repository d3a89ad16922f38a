"""What goes into a digest, and in which order. A pure function of facts at log positions: same facts, same bytes."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from monitor.core import events as ev
from monitor.core.entries import Arrival, derived_id
from monitor.core.excerpts import Passage, marked_line, one_line, opening, passages
from monitor.core.receipts import Receipt
from monitor.core.routing import Fate
from monitor.core.views import AlertEventRow, AlertRow, NoticeRow, SourceRow
from monitor.core.windows import Routed
from monitor.matching.model import Evidence, RuleMatch, Severity

DETAILED = 200  # stories with evidence and passages; the others with headline and link
LISTED = 2000  # stories listed at all; beyond, they are counted
ENTRIES_PER_STORY = 12
EVIDENCE_PER_RULE = 20
RULES_PER_ALERT = 20
MAX_WHEN = 4000  # of a rule's expression
NOTICES = 20  # named; beyond, they are counted
FAILING = 100  # failing sources named; beyond, they are counted
OMITTED = 100  # dropped and skipped alerts listed by title
MAX_URL = 2000


class RuleLine(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that was met, as its author wrote it, with the words that met it."""

    rule: str
    severity: Severity
    when: str
    evidence: tuple[Evidence, ...]
    more: int  # hits not listed


class AlertLine(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as it stood when the window closed. `news`: what happened to it within the window."""

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
    news: tuple[str, ...]
    rules: tuple[RuleLine, ...]


class EntryLine(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a story: who published it, when, where. `url` is http or https, else None."""

    entry_id: str
    source: str
    title: str
    url: str | None
    author: str | None
    published: datetime | None
    first_seen: datetime
    language: str | None
    revision: int
    withdrawn: bool


class StoryLine(msgspec.Struct, frozen=True, kw_only=True):
    """One story, with every theme it met, at the highest severity. Not `detailed`: no evidence, no passages."""

    story_id: str
    severity: Severity
    headline: Passage
    url: str | None
    language: str | None
    detailed: bool
    alerts: tuple[AlertLine, ...]
    entries: tuple[EntryLine, ...]
    more_entries: int
    passages: tuple[Passage, ...]


class FailingSource(msgspec.Struct, frozen=True, kw_only=True):
    """A source that brings nothing at present. State: failing | gone (no longer polled)."""

    source: str
    state: str
    reason: str
    since: datetime
    official: bool = False


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """Whether silence means anything: sources healthy and failing, and entries not yet held against the rules."""

    sources: int
    healthy: int
    failing: tuple[FailingSource, ...]
    more_failing: int
    unmatched: int


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something for the operator. `kind` is the event's type."""

    kind: str
    subject: str
    detail: str
    at: datetime


class OmittedLine(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that this receiver was not told of. `fate`: dropped (by quiet hours), skipped (with a missed window)."""

    alert_id: str
    theme: str
    severity: Severity
    title: str
    fate: str
    at: datetime


class Omitted(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts left out since the digest before. `listed`: the dropped and skipped ones; beyond 100 they are counted."""

    silenced: int
    dropped: int
    skipped: int
    listed: tuple[OmittedLine, ...]


class Period(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """From the due instant of the window before to this one's."""

    start: datetime
    end: datetime


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a message says, in any channel. Stored as JSON in `DigestComposed.content`.

    Sections: `new`; `already_there` (when their source was added); `rule_changed` (found among old entries by an
    edited rule). `unlisted` counts stories beyond the first 2,000. `head` is the log's hash at `position`.
    With a `receipt` it tells of an edit of the rules at `position`, and of nothing else.
    """

    format: int = 1
    digest_id: str
    window_id: str
    receiver: str
    window: Period
    after: int
    position: int
    head: str
    rules_revision: str
    configuration_revision: str
    time_zone: str
    new: tuple[StoryLine, ...] = ()
    already_there: tuple[StoryLine, ...] = ()
    rule_changed: tuple[StoryLine, ...] = ()
    unlisted: int = 0
    coverage: Coverage
    notices: tuple[Notice, ...] = ()
    more_notices: int = 0
    test: bool = False
    # Unset, these leave no byte: older digests rebuild as they were.
    receipt: Receipt | msgspec.UnsetType = msgspec.UNSET
    omitted: Omitted | msgspec.UnsetType = msgspec.UNSET

    @property
    def stories(self) -> tuple[StoryLine, ...]:
        return self.new + self.already_there + self.rule_changed

    @property
    def empty(self) -> bool:
        return not (self.stories or self.unlisted or self.notices or self.receipt)


@dataclass(frozen=True, slots=True)
class AlertNews:
    """What happened to an alert within a window, in order: enough to put it into its place."""

    alert_id: str
    theme: str
    story_id: str
    events: tuple[AlertEventRow, ...]

    @property
    def severity(self) -> Severity:
        return self.events[-1].severity


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """An entry as it stood at the window's end. `matches`: theme -> its latest match, which judged `texts` of that
    revision (revision -> (title, text)).
    """

    entry_id: str
    source_id: str
    url: str | None
    author: str | None
    published: datetime | None
    first_seen: datetime
    language: str | None
    revision: int
    withdrawn: bool
    texts: Mapping[int, tuple[str, str]]
    matches: Mapping[str, ev.EntryMatched]


@dataclass(frozen=True, slots=True)
class Group:
    """The alerts of one story that a window holds."""

    story_id: str
    alerts: tuple[AlertNews, ...]

    @property
    def severity(self) -> Severity:
        return max((news.severity for news in self.alerts), key=lambda severity: severity.rank)

    @property
    def events(self) -> tuple[AlertEventRow, ...]:
        return tuple(sorted((event for news in self.alerts for event in news.events), key=lambda row: row.position))


@dataclass(frozen=True, slots=True)
class Sections:
    """Stories in the order they are shown."""

    new: tuple[Group, ...]
    already_there: tuple[Group, ...]
    rule_changed: tuple[Group, ...]
    unlisted: int


def digest_id(log_id: str, window_id: str) -> str:
    """`dig-…`: one window, one digest. `log_id`: the hash of the log's first event, so that a peer of two installations
    never takes a message of one for a repeated one of the other.
    """
    return derived_id("dig", log_id, window_id)


def arrange(alerts: Iterable[AlertNews]) -> Sections:
    """Alerts to stories, stories to sections; by severity, then by what is new (raised, reopened, grouped), then the
    latest first.
    """
    by_story: dict[str, list[AlertNews]] = defaultdict(list)
    for news in alerts:
        by_story[news.story_id].append(news)
    groups = [
        Group(story_id, tuple(sorted(members, key=lambda news: (-news.severity.rank, news.theme))))
        for story_id, members in by_story.items()
    ]
    groups.sort(key=lambda group: (-group.severity.rank, _newness(group), -group.events[-1].position))
    sections: dict[str, list[Group]] = {"new": [], "already_there": [], "rule_changed": []}
    for group in groups:
        sections[_section(group)].append(group)
    room = LISTED
    kept: dict[str, tuple[Group, ...]] = {}
    for name, members in sections.items():
        kept[name] = tuple(members[:room])
        room -= len(kept[name])
    return Sections(**kept, unlisted=len(groups) - sum(map(len, kept.values())))


def _section(group: Group) -> str:
    events = group.events
    if all(event.reason == ev.AlertReason.RULE_CHANGED for event in events):
        return "rule_changed"
    return "already_there" if all(event.arrival == Arrival.ALREADY_THERE for event in events) else "new"


_KINDS = ("AlertRaised", "AlertReopened", "AlertGrouped", "AlertReminded")


def _newness(group: Group) -> int:
    return min(_KINDS.index(event.type) for event in group.events)


def entries_of(group: Group, alerts: Sequence[AlertRow]) -> tuple[str, ...]:
    """Entries to show: those of this window, then the alerts' others; each once."""
    within = [event.entry_id for event in group.events]
    others = [entry_id for alert in alerts for entry_id in alert.entry_ids]
    return tuple(dict.fromkeys(within + others))


def story_line(group: Group, alerts: Sequence[AlertRow], entries: Sequence[EntryFacts], *, detailed: bool) -> StoryLine:
    """One story. `alerts`: the group's, as they stood at the window's end; `entries`: facts for the first of
    `entries_of`, in that order, one at least.
    """
    themes = [alert.theme for alert in alerts]
    lead = next((entry for entry in entries if any(theme in entry.matches for theme in themes)), entries[0])
    matches = [lead.matches[theme] for theme in themes if theme in lead.matches]
    revision = matches[0].revision if matches else lead.revision
    title, text = lead.texts.get(revision) or lead.texts[lead.revision]
    hits = [hit for match in matches if match.revision == revision for rule in match.rules for hit in rule.evidence]
    in_title = [(hit.start, hit.end) for hit in hits if hit.field == "title"]
    news = {each.alert_id: tuple(dict.fromkeys(event.reason for event in each.events)) for each in group.alerts}
    return StoryLine(
        story_id=group.story_id,
        severity=max((alert.severity for alert in alerts), key=lambda severity: severity.rank),
        headline=marked_line(title if title.strip() else alerts[0].title, in_title),
        url=next((url for url in (web_link(entry.url) for entry in (lead, *entries)) if url), None),
        language=lead.language,
        detailed=detailed,
        alerts=tuple(_alert_line(alert, news[alert.alert_id], entries, detailed) for alert in alerts),
        entries=tuple(_entry_line(entry) for entry in entries),
        more_entries=len(entries_of(group, alerts)) - len(entries),
        passages=_passages(title, text, hits) if detailed else (),
    )


def coverage(sources: Iterable[SourceRow], unmatched: int, official: Collection[str] = ()) -> Coverage:
    """The coverage line's facts; removed sources do not count. Failing ones by id, `official` ones first."""
    watched = [row for row in sources if row.state != "removed"]
    failing = sorted((row for row in watched if row.state != "ok"), key=lambda row: (row.id not in official, row.id))
    return Coverage(
        sources=len(watched),
        healthy=len(watched) - len(failing),
        failing=tuple(
            FailingSource(
                source=row.id, state=row.state, reason=one_line(row.last_error or "", 160), since=row.since,
                official=row.id in official,
            )
            for row in failing[:FAILING]
        ),
        more_failing=max(0, len(failing) - FAILING),
        unmatched=unmatched,
    )  # fmt: skip


def omitted(
    left_out: Iterable[tuple[str, Routed]], told: Collection[str], title_of: Callable[[str], str]
) -> Omitted | None:
    """What was left out, each alert once; None where that is nothing. `left_out`: (theme, event). `told`: alerts that
    the digest tells of all the same. `title_of` an alert's id, asked for those that are listed.
    """
    found: dict[str, tuple[str, Routed]] = {}
    for theme, one in left_out:
        if one.row.alert_id not in told:
            found[one.row.alert_id] = theme, one
    if not found:
        return None
    counts = Counter(one.fate for _, one in found.values())
    listed = [(theme, one) for theme, one in found.values() if one.fate is not Fate.SILENCED]
    return Omitted(
        silenced=counts[Fate.SILENCED],
        dropped=counts[Fate.DROPPED],
        skipped=counts[Fate.SKIPPED],
        listed=tuple(
            OmittedLine(
                alert_id=one.row.alert_id, theme=theme, severity=one.row.severity,
                title=one_line(title_of(one.row.alert_id)), fate=one.fate.value, at=one.row.recorded_at,
            )
            for theme, one in listed[:OMITTED]
        ),
    )  # fmt: skip


def notice(row: NoticeRow, subject: str) -> Notice:
    """A notice for the operator, about `subject` in words."""
    return Notice(kind=row.kind, subject=one_line(subject, 120), detail=one_line(row.detail, 240), at=row.recorded_at)


def listed_notices(found: Iterable[Notice], covered: Coverage) -> tuple[tuple[Notice, ...], int]:
    """The notices to list, and how many more there are. Those of sources that `covered` names as failing come last, and
    where there is no room for them they are not counted: they are told of there.
    """
    failing = {source.source for source in covered.failing}
    others: list[Notice] = []
    told: list[Notice] = []
    for one in found:
        (told if one.kind in ("SourceFailed", "SourceGone") and one.subject in failing else others).append(one)
    return tuple([*others, *told][:NOTICES]), max(0, len(others) - NOTICES)


def period(start: datetime, end: datetime) -> Period:
    """The window's two instants; a clock that was set back does not turn it round."""
    return Period(start=min(start, end), end=end)


def encode(digest: Digest) -> tuple[str, str]:
    """The content to store, as JSON text, and its SHA-256 in hex."""
    content = msgspec.json.encode(digest)
    return content.decode(), hashlib.sha256(content).hexdigest()


def decode(content: str) -> Digest:
    """The digest that a stored content holds."""
    return msgspec.json.decode(content, type=Digest)


def web_link(url: str | None) -> str | None:
    """The address if it is one that may stand as a link: http or https with a host, no blanks or signs that mislead."""
    if url is None or len(url) > MAX_URL:
        return None
    url = url.strip()
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return None
    return url if sound and url == one_line(url, MAX_URL) and not any(sign in url for sign in ' "<>\\^`{|}') else None


def _alert_line(alert: AlertRow, news: tuple[str, ...], entries: Sequence[EntryFacts], detailed: bool) -> AlertLine:
    match = next((entry.matches[alert.theme] for entry in entries if alert.theme in entry.matches), None)
    rules = match.rules[:RULES_PER_ALERT] if match else ()
    return AlertLine(
        alert_id=alert.alert_id,
        theme=alert.theme,
        theme_title=one_line(alert.theme_title, 120),
        severity=alert.severity,
        state=alert.state,
        title=one_line(alert.title),
        reason=alert.reason,
        story_id=alert.story_id,
        entry_ids=alert.entry_ids[:ENTRIES_PER_STORY],
        sources=alert.sources[:ENTRIES_PER_STORY],
        raised_at=alert.raised_at,
        position=alert.position,
        news=news,
        rules=tuple(_rule_line(rule, detailed) for rule in rules),
    )


def _rule_line(rule: RuleMatch, detailed: bool) -> RuleLine:
    listed = _some_of_each(rule.evidence) if detailed else ()
    return RuleLine(
        rule=rule.rule,
        severity=rule.severity,
        when=one_line(rule.when, MAX_WHEN),
        evidence=tuple(msgspec.structs.replace(hit, text=one_line(hit.text, 120)) for hit in listed),
        more=len(rule.evidence) - len(listed),
    )


def _some_of_each(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """As many hits as are listed, in their order; each concept's first three before the others."""
    counts: Counter[str] = Counter()
    ranked = []
    for place, hit in enumerate(evidence):
        of = hit.concept or hit.term
        counts[of] += 1
        ranked.append((counts[of] > 3, place))
    return tuple(evidence[place] for place in sorted(place for _, place in sorted(ranked)[:EVIDENCE_PER_RULE]))


def _entry_line(entry: EntryFacts) -> EntryLine:
    title = entry.texts[entry.revision][0]
    return EntryLine(
        entry_id=entry.entry_id,
        source=entry.source_id,
        title=one_line(title),
        url=web_link(entry.url),
        author=one_line(entry.author, 120) if entry.author else None,
        published=entry.published,
        first_seen=entry.first_seen,
        language=entry.language,
        revision=entry.revision,
        withdrawn=entry.withdrawn,
    )


def _passages(title: str, text: str, hits: Sequence[Evidence]) -> tuple[Passage, ...]:
    found = passages(text, [(hit.start, hit.end, hit.concept) for hit in hits if hit.field == "text"])
    if found:
        return found
    first = opening(text)
    return (first,) if first.text and first.text != one_line(title) else ()
