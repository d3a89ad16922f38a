"""A receipt as a page: what an edit of the rules did, in words. The layouts only place what stands here."""

from __future__ import annotations

from collections import Counter
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
    """One theme. `table` where there are old rules and new ones; `changes`: (what, removed, added) in words."""

    title: str
    theme: str
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
    change = f"{_signed(receipt.gained, receipt.lost)} in {_days(receipt)}" if receipt.gained or receipt.lost else ""
    turns = Counter(part.turn for part in receipt.themes)
    if len(receipt.themes) == 1 and not turns["changed"]:
        turn = receipt.themes[0].turn
        change = change or (f"nothing found in {_days(receipt)}" if turn in _NEW else "")
        return f"{_TURNS[turn]}: {change}" if change else _TURNS[turn]
    turned = ", ".join(f"{_count(turns[turn], 'theme')} {words}" for turn, words in _TURNED.items() if turns[turn])
    said = "; ".join(part for part in (turned, change) if part)
    return f"Your change: {said}" if said else "Your change finds the same as before"


_TURNS = {
    "added": "Your new theme",
    "removed": "Your theme was removed",
    "on": "Your theme is live now",
    "off": "Your theme alerts no more",
}
_TURNED = {"added": "added", "removed": "removed", "on": "live now", "off": "alerting no more"}
_NEW = ("added", "on")
_GONE = ("removed", "off")


def _signed(gained: int, lost: int) -> str:
    parts = ([f"+{gained}"] if gained else []) + ([f"−{lost}"] if lost else [])
    return f"{', '.join(parts)} {'item' if gained + lost == 1 else 'items'}"


def _titles(receipt: Receipt) -> str:
    first = receipt.themes[0].title
    more = len(receipt.themes) + receipt.more_themes - 1
    return f"{first} and {more} more" if more else first


def _intro(receipt: Receipt) -> Iterator[str]:
    which = "the new rules" if all(part.turn in _NEW for part in receipt.themes) else "both old and new rules"
    yield (
        f"You, or a colleague, saved {_files(receipt)}, and the new rules are in force. To show what they do, {which} "
        f"were run over the {_count(receipt.entries, 'item')} that came in the {_period(receipt)}."
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
    found, gone = ("Found", "Found before") if part.turn != "changed" else ("Gained", "Lost")
    gained = _list(found, part.gained, part.gained_items[:items], part.gained_terms, times)
    lost = _list(gone, part.lost, part.lost_items[:items], part.lost_terms, times)
    table = (
        Row("items found", str(part.before), str(part.after)),
        Row("a day", _rate(part.before, receipt.days), _rate(part.after, receipt.days)),
    )
    return ThemePart(
        title=part.title,
        theme=part.theme,
        verdict=_verdict(part, receipt),
        table=table if part.turn == "changed" else (),
        changes=tuple(map(_change, part.changes)),
        more_changes=part.more_changes,
        lists=tuple(one for one in (gained, lost) if one.examples),
        remarks=tuple(_remarks(part)),
    )


def _verdict(part: ThemeReceipt, receipt: Receipt) -> str:
    if part.turn in _NEW:
        return f"{_TURNS[part.turn]}. It finds {_found(part.after, receipt)}."
    if part.turn in _GONE:
        return f"{_TURNS[part.turn]}. Nothing more comes of it; it found {_found(part.before, receipt)}."
    if not part.gained and not part.lost:
        return "Old and new rules find the same."
    gained = f"{_count(part.gained, 'item')} gained" if part.gained else "nothing gained"
    return f"{gained}, {_count(part.lost, 'item') if part.lost else 'none'} lost."


def _found(items: int, receipt: Receipt) -> str:
    return f"{_count(items, 'item')}, {_rate(items, receipt.days)} a day" if items else "none of these items"


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
    "Found": "these would have been alerts",
    "Found before": "the like is told no more",
}


def _list(title: str, count: int, items: Sequence[Item], terms: Sequence[Weight], times: Times) -> List:
    turned = title not in ("Gained", "Lost")  # that the rule is new, or gone, stands above
    examples = tuple(_example(item, number, times, turned=turned) for number, item in enumerate(items, 1))
    named = ", ".join(f"{weight.term} ({weight.items})" for weight in terms) if count > 1 else ""
    return List(f"{title}: {count}", _HINTS[title], named, examples, count - len(examples))


def _example(item: Item, number: int, times: Times, *, turned: bool) -> Example:
    lang, direction = languages.attributes(item.language)
    date = f"published {times.day(item.published)}" if item.published else f"first seen {times.day(item.first_seen)}"
    rules = f"{'rule' if len(item.rules) == 1 else 'rules'} {', '.join(item.rules)}"
    parts = (item.source, host_of(item.url), date, languages.name_of(item.language))
    return Example(
        number=number,
        headline=pieces(item.title),
        url=item.url,
        origin=" · ".join(part for part in parts if part),
        lang=lang,
        direction=direction,
        passages=tuple(map(pieces, item.passages)),
        reason=rules if turned else f"{item.reason} ({rules})",
    )


def _remarks(part: ThemeReceipt) -> Iterator[str]:
    if part.turn in _GONE:
        return
    if part.examples:
        yield "its example passes" if part.examples == 1 else f"all {part.examples} examples pass"
    else:
        yield "it has no examples yet; with some under `examples:` a slip is refused before it is in force"
    if part.rematch_days:
        find = "it finds" if part.turn in _NEW else "the new rules find"
        unlike = "" if part.turn in _NEW else ", and the old ones did not,"
        yield (
            f"what {find} in the last {_span(part.rematch_days)}{unlike} comes in the next scheduled digest under "
            "“Found by your rule change”"
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
