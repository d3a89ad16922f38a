"""New, changed, the same, the same twice: what a poll says against what is known."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core import views
from monitor.core.entries import Arrival, Kind, ParsedEntry, ParsedFeed, Source
from monitor.core.events import EntryObserved, EntryRevised, NewEvent, Recorded
from monitor.core.observe import MAX_ENTRIES, MAX_TEXT, Observation, candidates, identify, observe, unsure
from tests.builders import parsed_entry, source
from tests.fakes import START


class Known:
    """What earlier polls left: rows and texts, folded as the store would."""

    def __init__(self) -> None:
        self.rows: dict[str, views.EntryRow] = {}
        self.texts: dict[str, str] = {}
        self.dedupe: set[str] = set()
        self.position = 0

    def poll(self, watched: Source, *entries: ParsedEntry, first: bool = False, now: Any = START) -> Observation:
        """One poll with these entries; what it says is known at the next."""
        feed = ParsedFeed(format="rss20", title="", entries=entries)
        rows = {key: self.rows[key] for key in candidates(watched, feed) if key in self.rows}
        sightings = identify(watched, feed, rows)
        texts = {row.entry_id: self.texts[row.entry_id] for row in unsure(sightings)}
        said = observe(watched, sightings, texts, first_poll=first, now=now)
        for new in said.events:
            self._store(new)
        return said

    def _store(self, new: NewEvent) -> None:
        assert new.dedupe is not None
        if new.dedupe in self.dedupe:
            return
        self.dedupe.add(new.dedupe)
        self.position += 1
        event = new.event
        assert isinstance(event, EntryObserved | EntryRevised)
        recorded = Recorded(
            position=self.position, stream=new.stream, version=1, type=type(event).__name__, schema=1, event_id="e",
            recorded_at=START, actor="monitor", causation=None, event=event, hash="",
        )  # fmt: skip
        row = views.ENTRIES.fold(self.rows.get(event.entry_id), recorded, event.entry_id)
        assert row is not None
        self.rows[event.entry_id] = row
        self.texts[event.entry_id] = event.text


def one(said: Observation) -> Any:
    assert len(said.events) == 1
    return said.events[0].event


def titles(said: Observation) -> list[str]:
    return [event.event.title for event in said.events]  # type: ignore[attr-defined]


def test_an_entry_never_seen_is_observed_with_all_it_has() -> None:
    watched = source(tags=("us",), language="en")
    entry = parsed_entry(author="A. Writer", language="de", tags=("official",))
    event = one(Known().poll(watched, entry))
    assert isinstance(event, EntryObserved)
    assert (event.title, event.text, event.author, event.raw_id) == (
        entry.title,
        entry.text,
        "A. Writer",
        entry.raw_id,
    )
    assert event.language == "en", "the owner's hint wins over the feed's word"
    assert event.tags == ("us",), "a feed cannot tag itself"
    assert event.first_seen == START
    assert event.arrival is Arrival.NEW


def test_secrets_in_an_entrys_address_are_not_stored() -> None:
    event = one(Known().poll(source(), parsed_entry(url="https://u:p@example.org/a?token=abc")))
    assert event.url == "https://example.org/a?token=***"


def test_the_same_document_twice_says_nothing_the_second_time() -> None:
    known = Known()
    known.poll(source(), parsed_entry("one"), parsed_entry("two"))
    assert known.poll(source(), parsed_entry("one"), parsed_entry("two")).events == ()


def test_the_same_entry_twice_in_one_document_is_one_and_the_later_wins() -> None:
    old = parsed_entry("Draft", raw_id="7", updated=START)
    new = parsed_entry("Final", raw_id="7", updated=START + timedelta(hours=1))
    assert titles(Known().poll(source(), old, new)) == ["Final"]
    assert titles(Known().poll(source(), new, old)) == ["Final"]


def test_other_sources_entry_with_the_same_id_is_another_entry() -> None:
    known = Known()
    known.poll(source("a"), parsed_entry(raw_id="7"))
    assert len(known.poll(source("b"), parsed_entry(raw_id="7")).events) == 1


def test_events_come_in_the_order_of_publication() -> None:
    days = {"newest": 0, "older": 2, "oldest": 5}
    entries = [parsed_entry(name, published=START - timedelta(days=age)) for name, age in days.items()] + [
        parsed_entry("undated", published=None)
    ]
    assert titles(Known().poll(source(), *entries)) == ["oldest", "older", "newest", "undated"]


# --- identity


def test_one_guid_for_all_entries_identifies_none_of_them() -> None:
    entries = [parsed_entry(f"item {n}", raw_id="same", url=f"https://example.org/{n}") for n in range(3)]
    known = Known()
    assert len(known.poll(source(), *entries).events) == 3
    assert known.poll(source(), *entries[1:]).events == ()
    assert known.poll(source(), entries[2]).events == ()


def test_one_link_for_all_entries_without_ids_identifies_none_of_them() -> None:
    entries = [parsed_entry(f"item {n}", raw_id=None, url="https://example.org/") for n in range(3)]
    known = Known()
    assert len(known.poll(source(), *entries).events) == 3
    assert known.poll(source(), *reversed(entries)).events == ()


def test_entries_that_differ_by_fragment_alone_are_told_apart() -> None:
    entries = [parsed_entry(f"item {n}", raw_id=None, url=f"https://example.org/log#{n}") for n in range(2)]
    assert len(Known().poll(source(), *entries).events) == 2


@pytest.mark.parametrize(
    "again",
    [
        "https://example.org/a?utm_source=x",
        "http://example.org/a",
        "https://example.org/a#comments",
        "https://EXAMPLE.org/a",
    ],
)
def test_trackers_fragments_and_schemes_make_no_new_entry(again: str) -> None:
    known = Known()
    known.poll(source(), parsed_entry(raw_id=None, url="https://example.org/a"))
    assert known.poll(source(), parsed_entry(raw_id=None, url=again)).events == ()


def test_a_guid_that_is_an_address_may_move_to_https() -> None:
    known = Known()
    known.poll(source(), parsed_entry(raw_id="http://example.org/?p=1"))
    assert known.poll(source(), parsed_entry(raw_id="https://example.org/?p=1")).events == ()


def test_an_entry_that_gains_an_id_is_the_one_known_by_its_address() -> None:
    known = Known()
    known.poll(source(), parsed_entry(raw_id=None))
    assert known.poll(source(), parsed_entry(raw_id="now-with-id")).events == ()


def test_without_id_and_address_the_content_identifies() -> None:
    known = Known()
    bare = parsed_entry(raw_id=None, url=None)
    assert len(known.poll(source(), bare).events) == 1
    assert known.poll(source(), bare).events == ()


def test_a_monstrous_id_is_cut_and_still_tells_entries_apart() -> None:
    known = Known()
    a, b = (parsed_entry(tail, raw_id="x" * 5000 + tail, url=None) for tail in "ab")
    said = known.poll(source(), a, b)
    assert len(said.events) == 2
    assert all(len(event.event.raw_id) < 2100 for event in said.events)  # type: ignore[attr-defined]
    assert known.poll(source(), a, b).events == ()


# --- revisions


def test_a_changed_text_is_a_revision_with_its_diff() -> None:
    known = Known()
    first = one(known.poll(source(), parsed_entry(text="The ban begins in May. Firms protest.")))
    event = one(known.poll(source(), parsed_entry(text="The ban begins in June. Firms protest.")))
    assert isinstance(event, EntryRevised)
    assert (event.entry_id, event.revision, event.changed) == (first.entry_id, 2, ("text",))
    assert "-The ban begins in May." in event.diff
    assert "+The ban begins in June." in event.diff
    assert "-Firms protest." not in event.diff


def test_there_and_back_again_is_a_third_revision() -> None:
    known = Known()
    known.poll(source(), parsed_entry(text="A"))
    known.poll(source(), parsed_entry(text="B"))
    event = one(known.poll(source(), parsed_entry(text="A")))
    assert event.revision == 3
    assert known.rows[event.entry_id].revision == 3


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({"title": "Port closes"}, ("title",)),
        ({"author": "B. Other"}, ("author",)),
        ({"published": START - timedelta(days=3)}, ("published",)),
        ({"title": "Port closes", "text": "Closed."}, ("title", "text")),
    ],
)
def test_what_a_reader_would_notice_is_a_revision(change: dict[str, Any], changed: tuple[str, ...]) -> None:
    before = {"title": "Port opens", "raw_id": "7", "author": "A. Writer", "published": START}
    known = Known()
    known.poll(source(), parsed_entry(**before))
    assert one(known.poll(source(), parsed_entry(**{**before, **change}))).changed == changed


@pytest.mark.parametrize(
    "change",
    [
        {"text": "The  port\nreopened at 10:30. 12 comments"},
        {"text": "The port reopened at 9:05 pm. 1,204 comments"},
        {"published": START - timedelta(hours=20)},
        {"updated": START},
        {"url": "https://news.example.org/moved"},
        {"tags": ("x",)},
        {"language": "fr"},
    ],
)
def test_what_a_reader_would_not_notice_is_none(change: dict[str, Any]) -> None:
    before = {"raw_id": "7", "text": "The port reopened at 10:00. 3 comments"}
    known = Known()
    known.poll(source(), parsed_entry(**before))
    assert known.poll(source(), parsed_entry(**{**before, **change})).events == ()


def test_a_revision_is_guarded_by_the_version_its_entry_was_read_at() -> None:
    known = Known()
    assert known.poll(source(), parsed_entry(text="A")).fresh
    said = known.poll(source(), parsed_entry(text="B"))
    assert (len(said.revised), said.fresh) == (1, ())


def test_the_diff_of_monstrous_texts_stays_small() -> None:
    known = Known()
    known.poll(source(), parsed_entry(raw_id="7", text="\n\n".join(f"old {n}" for n in range(20_000))))
    event = one(known.poll(source(), parsed_entry(raw_id="7", text="\n\n".join(f"new {n}" for n in range(20_000)))))
    assert len(event.diff) < 21_000
    assert "cut here" in event.diff


# --- arrival


@pytest.mark.parametrize(
    ("age", "arrival"),
    [
        (timedelta(days=13, hours=23), Arrival.ALREADY_THERE),
        (timedelta(days=14, minutes=1), Arrival.BASELINE),
        (timedelta(days=-400), Arrival.ALREADY_THERE),
    ],
)
def test_the_first_poll_of_a_feed_alerts_for_a_fortnight_back(age: timedelta, arrival: Arrival) -> None:
    assert one(Known().poll(source(), parsed_entry(published=START - age), first=True)).arrival is arrival


def test_of_undated_entries_the_first_twenty_may_alert_on_the_first_poll() -> None:
    entries = [parsed_entry(f"item {n}", raw_id=f"{n}", url=None, published=None) for n in range(30)]
    said = Known().poll(source(), *entries, first=True)
    arrivals = [event.event.arrival for event in said.events]  # type: ignore[attr-defined]
    assert arrivals == [Arrival.ALREADY_THERE] * 20 + [Arrival.BASELINE] * 10


def test_later_polls_bring_news_of_any_date() -> None:
    assert one(Known().poll(source(), parsed_entry(published=START - timedelta(days=999)))).arrival is Arrival.NEW


# --- documents


FOLDER = source("documents", kind=Kind.FOLDER, location="documents/", tags=("seed",))


def document(text: str, path: str = "a.txt", **fields: Any) -> ParsedEntry:
    return ParsedEntry(**{"raw_id": None, "url": None, "title": "A title", "text": text, "path": path, **fields})


def test_a_document_is_new_whatever_its_date() -> None:
    old = document("old", published=START - timedelta(days=9999), tags=("paper",))
    event = one(Known().poll(FOLDER, old, first=True))
    assert event.arrival is Arrival.NEW
    assert event.tags == ("seed", "paper"), "a document's own tags are the owner's"


def test_a_copy_of_a_document_under_another_name_is_the_same_content() -> None:
    known = Known()
    known.poll(FOLDER, document("A", "a.txt"))
    known.poll(FOLDER, document("A", "copy.txt"))
    assert len(known.rows) == 1


def test_a_changed_file_is_a_revision() -> None:
    known = Known()
    known.poll(FOLDER, document("A"))
    assert isinstance(one(known.poll(FOLDER, document("B"))), EntryRevised)


def test_documents_with_ids_of_their_own_are_told_apart_by_them() -> None:
    known = Known()
    a, b = (document("same words", path="list.jsonl", raw_id=raw_id) for raw_id in ("a", "b"))
    known.poll(FOLDER, a, b)
    assert len(known.rows) == 2


def test_a_document_may_name_its_source() -> None:
    event = one(Known().poll(FOLDER, document("A", source="harbour-post", raw_id="1")))
    assert event.source_id == "harbour-post"


# --- caps


def test_a_monstrous_text_is_cut_with_a_mark() -> None:
    event = one(Known().poll(source(), parsed_entry(text="x" * (MAX_TEXT + 5))))
    assert len(event.text) < MAX_TEXT + 60
    assert event.text.endswith("[cut here: 1,000,005 characters]")


def test_a_monstrous_feed_gives_its_first_entries() -> None:
    entries = tuple(parsed_entry("t", raw_id=str(n), url=None) for n in range(MAX_ENTRIES + 1))
    assert len(identify(source(), ParsedFeed(format="", title="", entries=entries), {})) == MAX_ENTRIES


# --- laws

words = st.text(alphabet="ab ", max_size=4)
some_entries = st.lists(
    st.builds(
        ParsedEntry,
        raw_id=st.none() | st.sampled_from(["1", "2", "http://example.org/1"]),
        url=st.none() | st.sampled_from(["https://example.org/1", "https://example.org/1#x", "https://example.org/2"]),
        title=words,
        text=words,
        author=st.none() | words,
        published=st.none() | st.sampled_from([START, START - timedelta(days=9)]),
        path=st.none() | st.sampled_from(["a.txt", "b.txt"]),
    ),
    max_size=5,
)


def _facts(said: Observation) -> set[tuple[str, str, str, str]]:
    return {
        (new.event.entry_id, new.event.title, new.event.text, new.event.author or "")  # type: ignore[attr-defined]
        for new in said.events
    }


@given(some_entries, st.booleans())
def test_law_a_document_seen_once_says_nothing_more(entries: list[ParsedEntry], first: bool) -> None:
    known = Known()
    known.poll(source(), *entries, first=first)
    before = dict(known.rows)
    known.poll(source(), *entries)
    assert known.rows == before


@given(some_entries, st.randoms(use_true_random=False))
def test_law_the_order_of_entries_is_irrelevant(entries: list[ParsedEntry], random: Any) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert _facts(Known().poll(source(), *entries)) == _facts(Known().poll(source(), *shuffled))


@given(some_entries)
def test_law_no_event_is_said_twice_in_one_poll(entries: list[ParsedEntry]) -> None:
    said = Known().poll(source(), *entries)
    keys = _dedupes(said.events)
    assert len(keys) == len(set(keys))
    assert len(said.fresh) == len(set(said.fresh))


def _dedupes(events: Iterable[NewEvent]) -> list[tuple[str, str | None]]:
    return [(event.stream, event.dedupe) for event in events]
