"""What matching takes and gives: a document, and the rules it met with their evidence. Plain data, cheap to import."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """How urgent; `rank` orders them."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Mode(StrEnum):
    """Whether a theme alerts, only counts, or rests."""

    LIVE = "live"
    SHADOW = "shadow"
    OFF = "off"


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What rules look at. `source`, `tags` None: not known (only in `monitor match`)."""

    title: str
    text: str
    url: str | None = None
    author: str | None = None
    language: str | None = None
    published: datetime | None = None
    first_seen: datetime | None = None
    source: str | None = None
    tags: tuple[str, ...] | None = None


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One hit that makes a rule true: code-point offsets into `field` (title | text | url | author) as given, and
    the words there.
    """

    concept: str
    term: str
    field: str
    start: int
    end: int
    text: str


class RuleMatch(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of a theme that a document met; `when` is the rule's expression as its author wrote it."""

    rule: str
    severity: Severity
    when: str
    evidence: tuple[Evidence, ...]


class ThemeMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A theme that a document met, with every rule of it that was true. `severity` is the highest of these."""

    theme: str
    title: str
    mode: Mode
    severity: Severity
    rules: tuple[RuleMatch, ...]
