"""A receipt as a page: what an edit of the rules did, in words. The layouts only place what stands here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.core.digests import Digest
from monitor.core.receipts import DAYS, SHOWN, THEMES, Change, Item, Receipt, ThemeReceipt, Weight
from monitor.receivers.render import languages
from monitor.receivers.render.page import Piece, Times, host_of, pieces

LISTED_FILES = 4


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the small table: the old rules, the new ones."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Example:
    """One item that was gained or lost. `direction` is ltr, rtl or auto; `language` in words or empty."""

    number: int
    headline: tuple[Piece, ...]
    url: str | None
    origin: str
    lang: str
    direction: str
    passages: tuple[tuple[Piece, ...], ...]
    reason: str


@dataclass(frozen=True, slots=True)
class List:
    """Items gained or lost, under a title that says which; `terms`: what most of them rest on."""

    title: str
    hint: str
    terms: str
    examples: tuple[Example, ...]
    more: int


@dataclass(frozen=True, slots=True)
class ThemePart:
    """One theme. `changes`: (what, removed, added) in words."""

    title: str
    verdict: str
    table: tuple[Row, ...]
    changes: tuple[tuple[str, str, str], ...]
    more_changes: int
    lists: tuple[List, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    """All that a receipt says, in order. `undo`: the command, a file a line."""

    subject: str
    headline: str
    when: str
    receiver: str
    intro: tuple[str, ...]
    themes: tuple[ThemePart, ...]
    more_themes: int
    faults: tuple[str, ...]
    more_faults: int
    undo_words: str
    undo: tuple[str, ...]
    footer: tuple[str, ...]


def receipt_subject(receipt: Receipt) -> str:
    """What happened, in a line that a mailbox shows."""
    if receipt.faults:
        return f"Your change of {_files(receipt)} is not in force: {_faults(receipt)}"
    return f"{_headline(receipt)}: {_titles(receipt)}"


def receipt_page(
    digest: Digest, receipt: Receipt, composed_at: datetime, *, themes: int = THEMES, items: int = SHOWN
) -> ReceiptPage:
    """The page of a digest's receipt: at most so many themes, and items of each list."""
    times = Times(digest.time_zone)
    return ReceiptPage(
        subject=receipt_subject(receipt),
        headline=f"Your change is not in force: {_faults(receipt)}" if receipt.faults else _headline(receipt),
        when=f"{times.long(receipt.at)} ({digest.time_zone})",
        receiver=digest.receiver,
        intro=tuple(_refusal(receipt, times) if receipt.faults else _intro(receipt)),
        themes=tuple(_theme(part, receipt, times, items) for part in receipt.themes[:themes]),
        more_themes=receipt.more_themes + max(0, len(receipt.themes) - themes),
        faults=receipt.faults,
        more_faults=receipt.more_faults,
        undo_words="To go back to the rules in force" if receipt.faults else "To undo it",
        undo=(f"monitor rules restore {receipt.undo}", *receipt.files),
        footer=(
            f"composed {times.minute(composed_at)}; rules {digest.rules_revision}; digest {digest.digest_id}",
            f"log position {digest.position}, head {digest.head}",
        ),
    )


def _headline(receipt: Receipt) -> str:
    gained, lost = (sum(getattr(part, name) for part in receipt.themes) for name in ("gained", "lost"))
    change = _signed(gained, lost) + f" in {_days(receipt)}" if gained or lost else "finds the same as before"
    turns = {part.turn for part in receipt.themes}
    if len(receipt.themes) == 1 and turns != {"changed"}:
        return f"{_TURNS[receipt.themes[0].turn]}: {change}" if gained or lost else _TURNS[receipt.themes[0].turn]
    return f"Your change: {change}" if gained or lost else f"Your change {change}"


_TURNS = {
    "added": "Your new theme",
    "removed": "Your theme was removed",
    "on": "Your theme is live now",
    "off": "Your theme alerts no more",
}


def _signed(gained: int, lost: int) -> str:
    parts = ([f"+{gained}"] if gained else []) + ([f"−{lost}"] if lost else [])
    return f"{', '.join(parts)} {'item' if gained + lost == 1 else 'items'}"


def _titles(receipt: Receipt) -> str:
    first = receipt.themes[0].title
    more = len(receipt.themes) + receipt.more_themes - 1
    return f"{first} and {more} more" if more else first


def _intro(receipt: Receipt) -> Iterator[str]:
    yield (
        f"You, or a colleague, saved {_files(receipt)}, and the new rules are in force. To show what they do, both old "
        f"and new rules were run over the {_count(receipt.entries, 'item')} that came in the {_period(receipt)}."
    )


def _refusal(receipt: Receipt, times: Times) -> Iterator[str]:
    since = f" of {times.minute(receipt.in_force_since)}" if receipt.in_force_since else ""
    yield f"You, or a colleague, saved {_files(receipt)}, and there {_are(receipt)}:"
    yield (
        f"Until the file is mended, the rules{since} (revision {receipt.revision}) stay in force. Nothing is missed: "
        "what comes meanwhile is matched by these now, and by the mended rules as soon as you save them. `monitor "
        "check` shows each fault with its line."
    )


def _theme(part: ThemeReceipt, receipt: Receipt, times: Times, items: int) -> ThemePart:
    gained = _list("Gained", part.gained, part.gained_items[:items], part.gained_terms, times)
    lost = _list("Lost", part.lost, part.lost_items[:items], part.lost_terms, times)
    return ThemePart(
        title=part.title,
        verdict=_verdict(part),
        table=(
            Row("items found", str(part.before), str(part.after)),
            Row("a day", _rate(part.before, receipt.days), _rate(part.after, receipt.days)),
        ),
        changes=tuple(map(_change, part.changes)),
        more_changes=part.more_changes,
        lists=tuple(one for one in (gained, lost) if one.examples),
        remarks=tuple(_remarks(part)),
    )


def _verdict(part: ThemeReceipt) -> str:
    if part.turn in ("removed", "off"):
        return f"{_TURNS[part.turn]}. Nothing more comes of it."
    if not part.gained and not part.lost:
        return "Old and new rules find the same."
    gained = f"{_count(part.gained, 'item')} gained" if part.gained else "nothing gained"
    return f"{gained}, {_count(part.lost, 'item') if part.lost else 'none'} lost."


def _change(change: Change) -> tuple[str, str, str]:
    return (
        change.about,
        _joined(change.removed, change.more_removed),
        _joined(change.added, change.more_added),
    )


def _joined(texts: Sequence[str], more: int) -> str:
    return ", ".join(texts) + (f", +{more} more" if more else "")


_HINTS = {
    "Gained": "the new rules find these, the old ones did not",
    "Lost": "the old rules found these, the new ones do not",
}


def _list(title: str, count: int, items: Sequence[Item], terms: Sequence[Weight], times: Times) -> List:
    examples = tuple(_example(item, number, times) for number, item in enumerate(items, 1))
    named = ", ".join(f"{weight.term} ({weight.items})" for weight in terms) if count > 1 else ""
    return List(f"{title}: {count}", _HINTS[title], named, examples, count - len(examples))


def _example(item: Item, number: int, times: Times) -> Example:
    lang, direction = languages.attributes(item.language)
    date = f"published {times.day(item.published)}" if item.published else f"first seen {times.day(item.first_seen)}"
    parts = (item.source, host_of(item.url), date, languages.name_of(item.language))
    return Example(
        number=number,
        headline=pieces(item.title),
        url=item.url,
        origin=" · ".join(part for part in parts if part),
        lang=lang,
        direction=direction,
        passages=tuple(map(pieces, item.passages)),
        reason=f"{item.reason} ({'rule' if len(item.rules) == 1 else 'rules'} {', '.join(item.rules)})",
    )


def _remarks(part: ThemeReceipt) -> Iterator[str]:
    if part.turn in ("removed", "off"):
        return
    if part.examples:
        yield "its example passes" if part.examples == 1 else f"all {part.examples} examples pass"
    else:
        yield "it has no examples yet; with some under `examples:` a slip is refused before it is in force"
    if part.rematch_days:
        yield (
            f"what the new rules find in the last {_span(part.rematch_days)}, and the old ones did not, comes in the "
            "next scheduled digest under “Found by your rule change”"
        )


def _rate(items: int, days: int) -> str:
    rate = items / days
    return f"{rate:.1f}" if rate >= 0.1 or not items else "under 0.1"


def _period(receipt: Receipt) -> str:
    return f"last {_days(receipt)}" if receipt.days == DAYS else f"{_days(receipt)} on record"


def _days(receipt: Receipt) -> str:
    return _span(receipt.days)


def _span(days: float) -> str:
    return _count(int(days), "day") if days == int(days) else _count(round(days * 24), "hour")


def _files(receipt: Receipt) -> str:
    shown = ", ".join(receipt.files[:LISTED_FILES])
    more = len(receipt.files) - LISTED_FILES
    return f"{shown} and {_count(more, 'other file')}" if more > 0 else shown


def _faults(receipt: Receipt) -> str:
    return _count(len(receipt.faults) + receipt.more_faults, "fault")


def _are(receipt: Receipt) -> str:
    return f"is {_faults(receipt)}" if len(receipt.faults) + receipt.more_faults == 1 else f"are {_faults(receipt)}"


def _count(number: int, one: str) -> str:
    return f"{number:,} {one if number == 1 else one + 's'}"
