"""A digest as a page: every line in words, dates in the reader's time zone, marked text cut into pieces.

The layouts (text.py, html.py) only place what stands here, so that both say the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from monitor.core.digests import (
    AlertLine,
    Coverage,
    Digest,
    EntryLine,
    FailingSource,
    Notice,
    Omitted,
    RuleLine,
    StoryLine,
)
from monitor.core.excerpts import Passage
from monitor.matching.model import Severity
from monitor.receivers.render import languages
from monitor.receivers.render.expressions import shortened

FULL = 40
LISTED = 100
FOUND_AGAIN = 20  # of what an edited rule found among old entries
WORDS_PER_RULE = 8
WORDS_PER_CONCEPT = 3
OMITTED = 40  # alerts that were not sent, by title
CAUSES = 8  # why sources fail, a line each
NAMES = (12, 6)  # of official and of other sources that fail for one cause


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, marked or not."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Outlet:
    """Who published one entry of a story, and when."""

    source: str
    host: str
    url: str | None
    dates: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a story is here: one rule of one theme, its expression (the clauses that decide, where it is long), and the
    words that met it.
    """

    theme: str
    rule: str
    when: str
    words: str


@dataclass(frozen=True, slots=True)
class Item:
    """One story in full. `direction` is ltr, rtl or auto; `language` in words or empty."""

    number: int
    severity: Severity
    headline: tuple[Piece, ...]
    url: str | None
    host: str
    lang: str
    direction: str
    language: str
    outlets: tuple[Outlet, ...]
    more_outlets: int
    passages: tuple[tuple[Piece, ...], ...]
    news: str
    reasons: tuple[Reason, ...]
    alert_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Brief:
    """One story in a line."""

    severity: Severity
    title: str
    url: str | None
    source: str
    lang: str
    direction: str


@dataclass(frozen=True, slots=True)
class Section:
    """Stories under a title; `more` could not even be listed."""

    title: str
    items: tuple[Item, ...]
    briefs: tuple[Brief, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Page:
    """All that a message says, in order."""

    subject: str
    summary: str
    themes: str
    receiver: str
    window: str
    time_zone: str
    sections: tuple[Section, ...]
    omitted: tuple[str, ...]
    notices: tuple[str, ...]
    coverage: tuple[str, ...]
    troubled: bool
    footer: tuple[str, ...]
    test: bool


def page_of(digest: Digest, composed_at: datetime, *, full: int = FULL, listed: int = LISTED) -> Page:
    """The page of a digest: at most `full` stories in full, of the others at most `listed` in a line each."""
    times = Times(digest.time_zone)
    return Page(
        subject=subject_of(digest),
        summary=summary_of(digest),
        themes=themes_of(digest),
        receiver=digest.receiver,
        window=times.span(digest.window.start, digest.window.end),
        time_zone=digest.time_zone,
        sections=tuple(_sections(digest, times, full, listed)),
        omitted=tuple(_omitted(digest.omitted, times)) if digest.omitted else (),
        notices=tuple(_notices(digest, times)),
        coverage=tuple(_coverage(digest.coverage, times)),
        troubled=digest.coverage.healthy < digest.coverage.sources or digest.coverage.unmatched > 0,
        footer=_footer(digest, composed_at, times),
        test=digest.test,
    )


def subject_of(digest: Digest) -> str:
    """What is in the message, the most severe first."""
    if digest.test:
        return f"[test] a test message for receiver '{digest.receiver}'"
    stories = digest.new or digest.already_there or digest.rule_changed
    if not stories:
        if digest.notices:
            return f"for the operator: {summary_of(digest)}"
        return f"nothing new; {_health(digest.coverage)}"
    top = max(stories, key=lambda story: story.severity.rank)
    title = top.headline.text
    total = len(digest.stories) + digest.unlisted
    if total == 1:
        return f"[{top.severity.value}] {title}"
    return f"[{top.severity.value}] {summary_of(digest)}: {title}"


def summary_of(digest: Digest) -> str:
    """The counts of the sections; where there is none, what the operator is told."""
    parts = [
        f"{len(stories)} {words}"
        for stories, words in (
            (digest.new, "new"),
            (digest.already_there, "already there"),
            (digest.rule_changed, "found by a rule change"),
        )
        if stories
    ]
    if digest.unlisted:
        parts.append(f"{digest.unlisted} more")
    return ", ".join(parts) or _news_for_operators(digest) or "nothing new"


def themes_of(digest: Digest) -> str:
    """The themes met, the most frequent first; with their counts where there are several."""
    counts: Counter[str] = Counter()
    for story in digest.stories:
        counts.update({alert.theme_title or alert.theme for alert in story.alerts})
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    if len(ranked) == 1:
        return ranked[0][0]
    more = f" · +{len(ranked) - 4} themes" if len(ranked) > 4 else ""
    return " · ".join(f"{title} {count}" for title, count in ranked[:4]) + more


class Times:
    """Instants in the words of one time zone."""

    def __init__(self, time_zone: str) -> None:
        self._zone = ZoneInfo(time_zone)

    def day(self, at: datetime) -> str:
        """`24 Nov 2026`"""
        local = at.astimezone(self._zone)
        return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"

    def minute(self, at: datetime) -> str:
        """`24 Nov 2026, 07:00`"""
        return f"{self.day(at)}, {at.astimezone(self._zone):%H:%M}"

    def long(self, at: datetime) -> str:
        """`Tue 24 Nov 2026, 07:00`"""
        return f"{_DAYS[at.astimezone(self._zone).weekday()]} {self.minute(at)}"

    def span(self, start: datetime, end: datetime) -> str:
        """`Mon 23 Nov 2026, 07:00 – Tue 24 Nov 2026, 07:00`; within a day its date once."""
        last = f"{end.astimezone(self._zone):%H:%M}" if self.day(start) == self.day(end) else self.long(end)
        return f"{self.long(start)} – {last}"


# Not strftime's %a and %b: these depend on the machine's locale.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_TITLES = (
    ("new", "New"),
    ("already_there", "Already there when the source was added"),
    ("rule_changed", "Found by your rule change"),
)
_NEWS = {
    "first_match": "",
    "revised": "the text was revised",
    "higher_severity": "more severe than before",
    "rule_changed": "",
    "revived": "came up again",
    "reminder": "still open: a reminder",
}
_NOTICES = {
    "SourceFailed": "source {subject} failed for a while: {detail}",
    "SourceGone": "source {subject} is gone and no longer polled: {detail}",
    "RuleBookRefused": "edited rules are faulty, the old ones stay in force: {detail}",
    "RuleChangeFailed": "rules of revision {subject} are in force, but older entries are not held against them, and "
    "their owners are not told what changed: {detail}",
    "ConfigurationRefused": "edited receivers or sources are faulty, the old ones stay in force: {detail}",
    "DeliveryFailed": "a digest did not reach {subject}: {detail}",
    "DeliveryIncomplete": "a digest did not reach all of {subject}: {detail}",
    "DeliveryUnknown": "a digest may not have reached {subject}; held: {detail}",
    "ReceiverFailing": "for an hour nothing reaches receiver {subject}, and it is tried on: {detail}",
    "ReceiverHeld": "nothing more is sent to receiver {subject}: {detail}",
    "OutboxHeld": "nothing is sent at all: {detail}; let it go with `monitor deliveries release --all`",
}


def _sections(digest: Digest, times: Times, full: int, listed: int) -> Iterator[Section]:
    numbered = 0
    for name, title in _TITLES:
        stories: tuple[StoryLine, ...] = getattr(digest, name)
        if not stories:
            continue
        shown = stories[:FOUND_AGAIN] if name == "rule_changed" else stories
        count = min(full - numbered, sum(story.detailed for story in shown))
        items = tuple(_item(story, numbered + place + 1, times) for place, story in enumerate(shown[:count]))
        numbered += len(items)
        briefs = tuple(_brief(story) for story in shown[len(items) :][:listed])
        listed -= len(briefs)
        last = name == _last_section(digest)
        more = len(stories) - len(items) - len(briefs)
        yield Section(title, items, briefs, more + (digest.unlisted if last else 0))


def _last_section(digest: Digest) -> str:
    return [name for name, _ in _TITLES if getattr(digest, name)][-1]


def _item(story: StoryLine, number: int, times: Times) -> Item:
    news = dict.fromkeys(_NEWS.get(reason, reason) for alert in story.alerts for reason in alert.news)
    lang, direction = languages.attributes(story.language)
    return Item(
        number=number,
        severity=story.severity,
        headline=pieces(story.headline),
        url=story.url,
        host=host_of(story.url),
        lang=lang,
        direction=direction,
        language=languages.name_of(story.language),
        outlets=tuple(_outlet(entry, times) for entry in story.entries),
        more_outlets=story.more_entries,
        passages=tuple(pieces(passage) for passage in story.passages),
        news="; ".join(word for word in news if word),
        reasons=tuple(_reason(alert, rule) for alert in story.alerts for rule in alert.rules),
        alert_ids=tuple(alert.alert_id for alert in story.alerts),
    )


def _brief(story: StoryLine) -> Brief:
    lang, direction = languages.attributes(story.language)
    source = story.entries[0].source if story.entries else ""
    return Brief(story.severity, story.headline.text, story.url, source, lang, direction)


def _outlet(entry: EntryLine, times: Times) -> Outlet:
    dates = [f"published {times.minute(entry.published)}"] if entry.published else ["publication date unknown"]
    dates.append(f"first seen {times.minute(entry.first_seen)}")
    if entry.revision > 1:
        dates.append(f"revision {entry.revision}")
    if entry.withdrawn:
        dates.append("withdrawn")
    return Outlet(entry.source, host_of(entry.url), entry.url, " · ".join(dates))


def _reason(alert: AlertLine, rule: RuleLine) -> Reason:
    found = frozenset(hit.concept or hit.term for hit in rule.evidence)
    return Reason(alert.theme_title or alert.theme, rule.rule, shortened(rule.when, found), _words(rule))


def _words(rule: RuleLine) -> str:
    """Each concept's words with its name in brackets; words that the rule itself names, last and without one."""
    by_concept: dict[str, dict[str, None]] = {}
    for hit in sorted(rule.evidence, key=lambda hit: not hit.concept):
        by_concept.setdefault(hit.concept, {}).setdefault(hit.text)
    shown: list[str] = []
    for concept, words in by_concept.items():
        # A "+1" would hide one word to save one.
        named = list(words) if len(words) <= WORDS_PER_CONCEPT + 1 else list(words)[:WORDS_PER_CONCEPT]
        more = f" +{len(words) - len(named)}" if len(words) > len(named) else ""
        label = f" ({concept})" if concept else " (named in the rule)"
        shown.append(f"{', '.join(named)}{more}{label}")
    extra = f"; +{len(shown) - WORDS_PER_RULE} concepts" if len(shown) > WORDS_PER_RULE else ""
    return "; ".join(shown[:WORDS_PER_RULE]) + extra


def pieces(passage: Passage) -> tuple[Piece, ...]:
    """A passage cut at its marks."""
    cut: list[Piece] = []
    at = 0
    for start, end in passage.marks:
        cut += [Piece(passage.text[at:start], False), Piece(passage.text[start:end], True)]
        at = end
    cut.append(Piece(passage.text[at:], False))
    return tuple(piece for piece in cut if piece.text)


def host_of(url: str | None) -> str:
    """The site of a link, as a reader names it."""
    return (urlsplit(url).hostname or "").removeprefix("www.") if url else ""


_FATES = {"dropped": "in quiet hours", "skipped": "for a digest that was missed"}


def _omitted(omitted: Omitted, times: Times) -> Iterator[str]:
    if omitted.silenced:
        yield f"{_count(omitted.silenced, 'alert')} silenced: `monitor silences` says by whom and why"
    for line in omitted.listed[:OMITTED]:
        when = f"{times.minute(line.at)}, {_FATES.get(line.fate, line.fate)}"
        yield f"[{line.severity.value}] {line.title} ({line.theme}; {when})"
    more = omitted.dropped + omitted.skipped - len(omitted.listed[:OMITTED])
    if more > 0:
        yield f"+{more} more: `monitor alerts` lists them all"


def _notices(digest: Digest, times: Times) -> Iterator[str]:
    for notice in _not_under_coverage(digest):
        yield f"{times.minute(notice.at)}: {_notice_words(notice)}"
    if digest.more_notices:
        yield f"+{_count(digest.more_notices, 'more notice')}; `monitor status` tells how things are now"


def _not_under_coverage(digest: Digest) -> list[Notice]:
    failing = {source.source for source in digest.coverage.failing}
    return [
        notice
        for notice in digest.notices
        if notice.kind not in ("SourceFailed", "SourceGone") or notice.subject not in failing
    ]


def _news_for_operators(digest: Digest) -> str:
    notices, coverage = _not_under_coverage(digest), digest.coverage
    if notices:
        more = len(notices) + digest.more_notices - 1
        return _notice_words(notices[0], whole=False) + (f" (+{_count(more, 'more notice')})" if more else "")
    if digest.notices:
        return f"{coverage.sources - coverage.healthy} of {_count(coverage.sources, 'source')} failing"
    return ""


def _notice_words(notice: Notice, *, whole: bool = True) -> str:
    """A notice in a line; unless `whole`, without the detail."""
    words = _NOTICES.get(notice.kind, "{subject}: {detail}")
    if not whole:
        words = words.partition("{detail}")[0].rstrip(":; ")
    # Not `format`: the texts come from outside and may hold braces.
    return words.replace("{subject}", notice.subject).replace("{detail}", notice.detail)


def _coverage(coverage: Coverage, times: Times) -> Iterator[str]:
    yield _health(coverage)
    yield from _failing(coverage, times)
    if coverage.unmatched:
        entries = _count(coverage.unmatched, "entry", "entries")
        yield f"{entries} not yet held against the rules; the next digest has what they raise"


def _health(coverage: Coverage) -> str:
    if not coverage.sources:
        return "no sources are watched"
    return f"{coverage.healthy} of {_count(coverage.sources, 'source')} healthy"


def _failing(coverage: Coverage, times: Times) -> Iterator[str]:
    """Failing sources, a line for each cause: those of official ones first, then those that most fail for."""
    groups: dict[tuple[bool, str, str], list[FailingSource]] = {}
    for source in coverage.failing:
        groups.setdefault((source.official, source.state, _alike(source.reason)), []).append(source)
    ranked = sorted(groups.values(), key=lambda sources: (not sources[0].official, -len(sources)))
    for sources in ranked[:CAUSES]:
        yield _with_cause(sources, times)
    more = coverage.more_failing + sum(map(len, ranked[CAUSES:]))
    if more:
        yield f"+{_count(more, 'more source')} failing: `monitor sources` lists them all"


def _alike(reason: str) -> str:
    """What many sources' reasons have in common: all but names of hosts and the like."""
    return re.sub(r"'[^']*'", "…", reason)


def _with_cause(sources: Sequence[FailingSource], times: Times) -> str:
    first, official = min(sources, key=lambda source: source.since), sources[0].official
    shown = sources[: NAMES[0] if official else NAMES[1]]
    names = ", ".join(source.source for source in shown)
    more = f", +{len(sources) - len(shown)} more" if len(sources) > len(shown) else ""
    since = times.minute(first.since)
    later = " or later" if any(times.minute(source.since) != since for source in sources) else ""
    reason = first.reason if len(sources) == 1 else _alike(first.reason)
    return f"{'official: ' if official else ''}{names}{more} – {first.state} since {since}{later}" + (
        f": {reason}" if reason else ""
    )


def _footer(digest: Digest, composed_at: datetime, times: Times) -> tuple[str, ...]:
    if digest.test:
        return (f"sent {times.minute(composed_at)}; nothing was stored",)
    return (
        f"composed {times.minute(composed_at)}; rules {digest.rules_revision or 'none'}; digest {digest.digest_id}",
        f"log position {digest.position}, head {digest.head}",
    )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def plain(cut: Sequence[Piece]) -> str:
    """Pieces as one text, without marks."""
    return "".join(piece.text for piece in cut)
