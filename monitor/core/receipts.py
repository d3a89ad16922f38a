"""What an edit of the rules led to, as its owner is told: what the last days would have gained and lost by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from monitor.core.excerpts import Passage, one_line
from monitor.core.routing import ReceiverBook
from monitor.matching.book import Theme
from monitor.matching.edits import Edit
from monitor.matching.model import Mode

DAYS = 30
THEMES = 20  # told of, those with the most gained and lost first
SHOWN = 5  # items told of in full, gained and lost each
PASSAGES = 2
EDITS = 12  # things changed that are named
WORDS = 12  # terms named of each
TERMS = 8  # terms that items rest on
FAULTS = 20
MAX_TERM = 60
MAX_REASON = 200
MAX_EXPRESSION = 400


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that only one of the two rule books finds, with the sentences that do it. `reason`: what decides it."""

    entry_id: str
    source: str
    title: Passage
    url: str | None
    published: datetime | None
    first_seen: datetime
    language: str | None
    rules: tuple[str, ...]
    reason: str
    passages: tuple[Passage, ...]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is otherwise now; `more_*` are not listed."""

    about: str
    removed: tuple[str, ...]
    more_removed: int
    added: tuple[str, ...]
    more_added: int


class Weight(msgspec.Struct, frozen=True, kw_only=True):
    """How many items rest on a term."""

    term: str
    items: int


class ThemeReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one theme. `turn`: changed | added | removed | on | off (turned live, no longer live).

    `before`, `after`: items that the old and the new rules find. `rematch_days` 0: old entries are left alone.
    """

    theme: str
    title: str
    turn: str
    changes: tuple[Change, ...]
    more_changes: int
    before: int
    after: int
    gained: int
    lost: int
    gained_items: tuple[Item, ...]
    lost_items: tuple[Item, ...]
    gained_terms: tuple[Weight, ...]
    lost_terms: tuple[Weight, ...]
    examples: int
    rematch_days: float


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner of themes is told of an edit. With `faults`, it was refused and `revision` stays in force.

    `days`: so long a time was looked at, `entries`: so many entries. `gained`, `lost`: so many of these, by all themes
    changed, each counted once. `undo`: the revision before; `files`: all that bring the changed themes back to it.
    """

    revision: str
    undo: str
    at: datetime
    in_force_since: datetime | None
    files: tuple[str, ...]
    days: int = DAYS
    entries: int = 0
    gained: int = 0
    lost: int = 0
    themes: tuple[ThemeReceipt, ...] = ()
    more_themes: int = 0
    faults: tuple[str, ...] = ()
    more_faults: int = 0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the old and the new rules of a theme find an entry, and which terms decide where they differ."""

    before: bool
    after: bool
    terms: tuple[str, ...] = ()

    @property
    def gained(self) -> bool:
        return self.after and not self.before

    @property
    def lost(self) -> bool:
        return self.before and not self.after


class Tally:
    """The verdicts over one theme, in the order of the log."""

    def __init__(self) -> None:
        self._verdicts: dict[str, Verdict] = {}

    def take(self, entry_id: str, verdict: Verdict) -> None:
        """An entry that the old or the new rules find."""
        self._verdicts[entry_id] = verdict

    def forget(self, entry_id: str) -> None:
        """The entry was revised: only what is found in its latest text counts."""
        self._verdicts.pop(entry_id, None)

    @property
    def changed(self) -> int:
        """How many items only one of the two finds."""
        return sum(verdict.before != verdict.after for verdict in self._verdicts.values())

    @property
    def before(self) -> int:
        return sum(verdict.before for verdict in self._verdicts.values())

    @property
    def after(self) -> int:
        return sum(verdict.after for verdict in self._verdicts.values())

    @property
    def gained(self) -> dict[str, Verdict]:
        return {entry_id: verdict for entry_id, verdict in self._verdicts.items() if verdict.gained}

    @property
    def lost(self) -> dict[str, Verdict]:
        return {entry_id: verdict for entry_id, verdict in self._verdicts.items() if verdict.lost}


def telling(verdicts: dict[str, Verdict], count: int = SHOWN) -> tuple[str, ...]:
    """Entries to show of these, which come oldest first: those by which a term is seen first, the latest first, then
    other late ones.
    """
    latest = list(reversed(verdicts.items()))
    seen: set[str] = set()
    fresh: list[str] = []
    for entry_id, verdict in latest:
        if not seen.issuperset(verdict.terms):
            fresh.append(entry_id)
            seen.update(verdict.terms)
    return tuple(dict.fromkeys([*fresh, *(entry_id for entry_id, _ in latest)]))[:count]


def weights(verdicts: Iterable[Verdict]) -> tuple[Weight, ...]:
    """The terms that most of these items rest on."""
    counts = Counter(term for verdict in verdicts for term in verdict.terms)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Weight(term=one_line(term, MAX_TERM), items=items) for term, items in ranked[:TERMS])


def changes_of(edits: Sequence[Edit]) -> tuple[Change, ...]:
    """Edits as they are told."""
    return tuple(_change(edit) for edit in edits[:EDITS])


def _change(edit: Edit) -> Change:
    return Change(
        about=one_line(edit.about, 120),
        removed=tuple(one_line(text, MAX_EXPRESSION) for text in edit.removed[:WORDS]),
        more_removed=max(0, len(edit.removed) - WORDS),
        added=tuple(one_line(text, MAX_EXPRESSION) for text in edit.added[:WORDS]),
        more_added=max(0, len(edit.added) - WORDS),
    )


def is_live(theme: Theme | None) -> bool:
    """Whether a theme is there and alerts."""
    return theme is not None and theme.mode is Mode.LIVE


def turn_of(was: Theme | None, now: Theme | None) -> str | None:
    """What became of a theme, as in `ThemeReceipt.turn`; None where neither is live."""
    match is_live(was), is_live(now):
        case True, True:
            return "changed"
        case False, True:
            return "added" if was is None else "on"
        case True, False:
            return "removed" if now is None else "off"
        case _:
            return None


def days_on_record(first: datetime, at: datetime) -> int:
    """How many days of the last `DAYS` a log that began at `first` can tell of; at least one."""
    begun = -(-max((at - first).total_seconds(), 1) // 86_400)
    return min(DAYS, int(begun))


def told(book: ReceiverBook, owner: str | None) -> tuple[str, ...]:
    """Who hears of a theme's receipts and faults: its owner where that is a receiver, else the operator."""
    return (owner,) if owner is not None and book.receiver(owner) is not None else book.operator


def hears_by_itself(book: ReceiverBook, name: str) -> bool:
    """Whether a receiver is told of faulty rules at once anyway, as an operator."""
    receiver = book.receiver(name)
    return name in book.operator and receiver is not None and receiver.immediate
