"""What an adoption of rules changed, read from the log: the book before, the book after, the themes that differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from msgspec.structs import replace

from monitor.core import events as ev
from monitor.core import views
from monitor.core.receipts import is_live
from monitor.matching.book import RuleBook
from monitor.matching.edits import Edit, edited_themes
from monitor.matching.engine import Engine, compile_book
from monitor.pipeline.adopt import RULES_STREAM
from monitor.ports import EventStore

Load = Callable[[views.BookRow], RuleBook]
"""Rule files as adopted to the book they are. They were sound when adopted; raises `ConfigurationError` where they are
not to this version.
"""


@dataclass(frozen=True)
class Change:
    """One adoption, at `position` of the log. `themes`: those that differ, each with its edits.

    `undo`, `undo_at`: the revision before, and since when it was in force. `faulty_since`: where edited files were
    faulty before this, the position of the first refusal.
    """

    position: int
    at: datetime
    revision: str
    undo: str
    paths: tuple[str, ...]
    old: RuleBook
    new: RuleBook
    themes: Mapping[str, tuple[Edit, ...]]
    faulty_since: int | None

    @cached_property
    def old_engine(self) -> Engine:
        """Of the themes that differ and were live."""
        return compile_book(only(self.old, self.themes))

    @cached_property
    def new_engine(self) -> Engine:
        """Of the themes that differ and are live."""
        return compile_book(only(self.new, self.themes))


def read_change(store: EventStore, load: Load, position: int) -> Change | None:
    """What the adoption at a position changed; None where it was the first, or all themes mean what they meant.

    Raises `ConfigurationError`.
    """
    row: views.BookRow | None = None
    faulty_since: int | None = None
    for recorded in store.read(stream=RULES_STREAM, upto=position - 1):
        refused = isinstance(recorded.event, ev.RuleBookRefused)
        faulty_since = (faulty_since or recorded.position) if refused else None
        row = views.RULE_BOOK.fold(row, recorded, views.CURRENT)
    adopted = store.at(position)
    assert isinstance(adopted.event, ev.RuleBookAdopted), "an adoption stands there"
    after = views.RULE_BOOK.fold(row, adopted, views.CURRENT)
    if row is None or not row.position or after is None:
        return None
    paths = (*adopted.event.changed, *adopted.event.removed)
    old, new = load(row), load(after)
    themes = edited_themes(old, new, paths)
    if not themes:
        return None
    return Change(
        position=position, at=adopted.recorded_at, revision=adopted.event.revision, undo=row.revision,
        paths=tuple(sorted(paths)), old=old, new=new, themes=themes, faulty_since=faulty_since,
    )  # fmt: skip


def row_at(store: EventStore, position: int) -> views.BookRow | None:
    """The rule files as they stood at a position, with what was wrong with those on disk."""
    row: views.BookRow | None = None
    for recorded in store.read(stream=RULES_STREAM, upto=position):
        row = views.RULE_BOOK.fold(row, recorded, views.CURRENT)
    return row


def only(book: RuleBook, themes: Mapping[str, object]) -> RuleBook:
    """Of a book, the live ones of these themes."""
    return replace(book, themes=tuple(theme for theme in book.themes if theme.id in themes and is_live(theme)))
