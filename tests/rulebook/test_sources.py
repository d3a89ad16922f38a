"""The list of sources: every fault at its place, the others still there, no secret in sight."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.core.entries import Kind, Source, Tier
from monitor.errors import Fault
from monitor.rulebook.sources import SEED_FOLDER, lint_sources, load_sources
from monitor.rulebook.written import Surroundings

PATH = "seeds/sources.yaml"


def load(text: str, **options: object) -> tuple[tuple[Source, ...], list[Fault]]:
    return load_sources(PATH, text, **options)  # type: ignore[arg-type]


def one(lines: str, **options: object) -> tuple[Source | None, list[str]]:
    """The one source these lines describe, and its faults without their place."""
    indented = "\n".join(f"    {line}" for line in lines.strip().splitlines())
    sources, faults = load(f"sources:\n  - id: a\n{indented}\n", **options)
    found = [source for source in sources if source.id == "a"]
    return (found[0] if found else None), [fault.message for fault in faults]


def test_a_source_with_everything() -> None:
    source, faults = one(
        """
        url: https://user.example.org/press.xml?x=%20
        kind: feed
        every: 30m
        tags: [official, us]
        tier: official
        full_text: false
        language: en-GB
        headers: {Authorization: "Bearer ${BIS_TOKEN}", X-Desk: room 12}
        """.replace("        ", "")
    )
    assert faults == []
    assert source == Source(
        id="a", kind=Kind.FEED, location="https://user.example.org/press.xml?x=%20", every=1800,
        tags=("official", "us"), tier=Tier.OFFICIAL, language="en-GB",
        headers={"Authorization": "Bearer ${BIS_TOKEN}", "X-Desk": "room 12"},
    )  # fmt: skip


def test_defaults_hold_where_a_source_says_nothing() -> None:
    sources, faults = load(
        "defaults: {every: 2h, tags: [all], tier: blog, language: de}\n"
        "sources:\n"
        "  - {id: a, url: 'https://a.example/', tags: [own]}\n"
        "  - {id: b, path: documents/}\n"
    )
    assert faults == []
    a, b = sources
    assert (a.every, a.tags, a.tier, a.language) == (7200, ("all", "own"), Tier.BLOG, "de")
    assert (b.kind, b.every) == (Kind.FOLDER, 300)


@pytest.mark.parametrize("text", ["", "# nothing yet\n\n", "\ufeff# nothing\n", "sources: []\n"])
def test_seed_documents_are_always_watched(text: str) -> None:
    sources, _ = load(text)
    assert sources == (SEED_FOLDER,)


def test_seed_documents_are_watched_once() -> None:
    sources, _ = load("sources:\n  - {id: mine, path: ./documents, tags: [x]}\n")
    assert [source.id for source in sources] == ["mine"]


def test_a_faulty_source_is_named_at_its_place_and_the_others_stay() -> None:
    sources, faults = load(
        "sources:\n"
        "  - id: good\n"
        "    url: https://good.example/feed\n"
        "  - id: Bad Name\n"
        "    url: ftp://bad.example/\n"
        "    evry: 1h\n"
        "  - id: good\n"
        "    url: https://second.example/\n"
        "  - id: late\n"
        "    url: https://late.example/\n"
    )
    assert [source.id for source in sources] == ["good", "late", "seed-documents"]
    assert [str(fault) for fault in faults] == [
        f"{PATH}:4:9: the id 'Bad Name' is no name; wanted: a-z, 0-9, -",
        f"{PATH}:5:10: 'url' is no web address; wanted: one as in https://example.org/feed.xml",
        f"{PATH}:6:5: unknown key 'evry' in source; did you mean 'every'?",
        f"{PATH}:7:5: the id 'good' stands here a second time (first in line 2)",
    ]


def test_what_is_no_yaml_gives_its_fault_and_no_source() -> None:
    sources, faults = load("sources:\n  - id: a\n   url: x\n")
    assert sources == ()
    assert faults[0].line == 3


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("kind: feed", "this source has no 'url'"),
        ("kind: folder", "this source has no 'path'"),
        ("url: https://x.example/\npath: y", "a feed has a 'url', not a 'path'"),
        ("kind: folder\nurl: https://x.example/", "a folder has a 'path', not a 'url'"),
        ("url: https://x.example/\nkind: fed", "'kind' is 'fed'; wanted: feed, folder; did you mean 'feed'?"),
        (
            "url: https://x.example/\nkind: page",
            "this version does not read sources of kind 'page' yet; known: feed, folder",
        ),
        ("url: https://x.example/\nfull_text: yes", "this version does not fetch linked articles yet; remove the line"),
        ("url: https://x.example/\nevery: 10s", "'every' is from 1m to 366d"),
        ("url: https://x.example/\nevery: 0", "'every' is from 1m to 366d"),
        (
            "url: https://x.example/\nevery: hourly",
            "'every' is 'hourly'; wanted: a number and s, m, h, d or w, as in 90s or 7d",
        ),
        ("url: https://x.example/\ntier: high", "'tier' is 'high'; wanted: official, press, blog"),
        ("url: https://x.example/\nlanguage: English!", "'language' is 'English!'; wanted: "),
        ("url: https://x.example/a b", "'url' is no web address"),
        ("url: /etc/passwd", "'url' is no web address"),
        ("path: ~/documents", "write the folder's path out"),
        ("path: ${HOME}/documents", "${…} is for 'url' and 'headers' only"),
        ("path: documents/\nheaders: {X-A: b}", "a folder is asked with no headers"),
        ("url: https://x.example/\nheaders: [a]", "'headers' is a block of 'Name: value' lines"),
        ("url: https://x.example/\nheaders: {'X A': b}", "'X A' is no header's name"),
        ("url: https://x.example/\nheaders: {Host: b}", "'Host' is set by the program"),
        ('url: https://x.example/\nheaders: {X-A: "b\\nc"}', "a header's value is one line of visible signs"),
        ("url: https://x.example/\nheaders: {X-A: '${MONITOR_SMTP_URL}'}", "a MONITOR_* variable is the program's own"),
        ("url: 'https://x.example/${no good}'", "is not a variable's name"),
    ],
)
def test_single_faults(lines: str, message: str) -> None:
    source, faults = one(lines)
    assert source is None
    assert len(faults) == 1
    assert message in faults[0]


@pytest.mark.parametrize(
    "lines",
    [
        "url: https://me:s3cret@x.example/feed",
        "url: https://s3cret@x.example/feed",
        "url: https://${ME}:s3cret@x.example/feed",
        "url: https://x.example/feed?token=s3cret",
        "url: https://x.example/feed?a=1&api_key=s3cret&b=2",
        "url: https://x.example/\nheaders: {Authorization: Bearer s3cret}",
        "url: https://x.example/\nheaders: {Cookie: id=s3cret}",
        "url: https://x.example/\nheaders: {X-Api-Key: s3cret}",
    ],
)
def test_a_literal_secret_is_a_fault_that_does_not_show_it(lines: str) -> None:
    _, faults = load(f"sources:\n  - id: a\n    {lines.replace(chr(10), chr(10) + '    ')}\n")
    assert len(faults) == 1
    assert "${NAME}" in faults[0].message
    assert "s3cret" not in str(faults[0]) + faults[0].excerpt


@pytest.mark.parametrize(
    "lines",
    [
        "url: ${FEED_URL}",
        "url: https://${ME}:${PASSWORD}@x.example/feed",
        "url: https://x.example/feed?token=${TOKEN}",
        "url: https://x.example/${PLACE}/feed",
    ],
)
def test_variables_may_stand_for_what_is_secret(lines: str) -> None:
    source, faults = one(lines)
    assert faults == []
    assert source is not None
    assert source.location == lines.removeprefix("url: ")


def test_a_variable_without_value_is_a_fault_where_that_is_asked() -> None:
    line = "url: https://x.example/feed?token=${TOKEN}"
    assert one(line, surroundings=Surroundings({"TOKEN"}))[1] == []
    assert one(line, surroundings=Surroundings(set()))[1] == [
        "variable TOKEN is not set; set it in the environment, or TOKEN_FILE"
    ]


def test_an_address_that_must_not_be_asked_is_a_fault_where_that_is_asked() -> None:
    def refuse(url: str) -> str | None:
        return "127.0.0.1 is private" if "127.0.0.1" in url else None

    assert one("url: http://127.0.0.1/feed", surroundings=Surroundings(refuse=refuse))[1] == ["127.0.0.1 is private"]
    assert one("url: http://x.example/feed", surroundings=Surroundings(refuse=refuse))[1] == []


def test_a_written_address_is_judged_beside_its_variables() -> None:
    def refuse(url: str) -> str | None:
        return "private" if url.startswith("http://10.0.0.1/") else None

    line = "url: http://10.0.0.1/feed?token=${TOKEN}"
    assert one(line, surroundings=Surroundings(refuse=refuse))[1] == ["private"]
    assert one("url: http://${HOST}/feed", surroundings=Surroundings(refuse=refuse))[1] == []


def test_no_other_fault_shows_the_line_of_a_secret() -> None:
    _, faults = load("sources:\n  - {id: No Name, url: 'https://x.example/?token=s3cret', tier: top}\n")
    assert len(faults) == 3
    assert not any("s3cret" in fault.excerpt for fault in faults)


def test_headers_in_defaults_would_go_to_everybody() -> None:
    _, faults = load("defaults: {headers: {X-A: b}}\nsources: []\n")
    assert [fault.message for fault in faults] == [
        "headers belong to one source; here they would be sent to all of them"
    ]


def test_what_is_legal_but_poor() -> None:
    sources, _ = load(
        "sources:\n  - {id: often, url: 'https://x.example/', every: 5m}\n  - {id: twice, url: 'https://x.example/'}\n"
    )
    assert [fault.message for fault in lint_sources(PATH, sources)] == [
        "source 'often' is wanted every 5 min; many servers resent less than 30 min",
        "source 'twice' has the address of 'often': each entry will come twice",
    ]


def test_the_shipped_list_is_sound() -> None:
    sources, faults = load(Path("seeds/sources.yaml").read_text("utf-8"))
    assert faults == []
    assert len([source for source in sources if source.kind is Kind.FEED]) >= 12


def test_of_many_faults_their_number_is_said_and_no_secret() -> None:
    keys = "".join(f"    key{number}: x\n" for number in range(200))
    header = "headers: {Authorization: a-secret, Key: another-secret}"
    sources, faults = load(f"sources:\n  - id: a\n    path: documents/\n{keys}  - {{id: b, url: x, {header}}}\n")
    assert sources == (SEED_FOLDER,)
    assert len(faults) == 101 and faults[-1].message.endswith(" faults; 100 are listed")
    assert not any("secret" in fault.excerpt for fault in faults)
