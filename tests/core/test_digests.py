"""What goes into a digest, and in which order."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from monitor.core import digests
from monitor.core import events as ev
from monitor.core.compare import differences
from monitor.core.entries import Arrival
from monitor.core.trial import trial_digest
from monitor.core.views import AlertEventRow, AlertRow, SourceRow
from monitor.matching.model import Evidence, RuleMatch, Severity
from tests.fakes import START

TEXT = "The port is open. A crane fell at dawn."


def alert(story: str = "s1", theme: str = "trade", **fields: Any) -> AlertRow:
    defaults = {
        "alert_id": f"alr-{theme}-{story}", "theme": theme, "theme_title": theme.title(), "severity": Severity.MEDIUM,
        "state": "open", "title": f"Title of {story}", "reason": "first_match", "story_id": story,
        "entry_ids": (f"e-{story}",), "sources": ("port-news",), "rules": ("stop",), "arrival": "new",
        "raised_at": START, "verdict": None, "position": 1, "last_position": 1,
    }  # fmt: skip
    return AlertRow(**{**defaults, **fields})


def event(row: AlertRow, position: int, type: str = "AlertRaised", **fields: Any) -> AlertEventRow:
    defaults = {
        "position": position, "type": type, "alert_id": row.alert_id, "entry_id": row.entry_ids[0],
        "severity": row.severity, "reason": "first_match", "arrival": "new", "recorded_at": START,
    }  # fmt: skip
    return AlertEventRow(**{**defaults, **fields})


def news(
    story: str, position: int, *, type: str = "AlertRaised", theme: str = "trade", **fields: Any
) -> digests.AlertNews:
    row = alert(story, theme)
    return digests.AlertNews(row.alert_id, theme, story, (event(row, position, type, **fields),))


def line(*entries: digests.EntryFacts, detailed: bool = True) -> digests.StoryLine:
    """The story of one alert, told by these entries."""
    (group,) = digests.arrange([news("s1", 1)]).new
    return digests.story_line(group, [alert("s1")], entries or (entry(),), detailed=detailed)


def entry(story: str = "s1", title: str = "A crane fell", text: str = TEXT, **fields: Any) -> digests.EntryFacts:
    start = text.index("crane")
    hit = Evidence(concept="crane", term="crane", field="text", start=start, end=start + 5, text="crane")
    rule = RuleMatch(rule="stop", severity=Severity.MEDIUM, when="crane", evidence=(hit,))
    match = ev.EntryMatched(entry_id=f"e-{story}", revision=1, theme="trade", book="b", mode="live", rules=(rule,))
    defaults = {
        "entry_id": f"e-{story}", "source_id": "port-news", "url": "https://news.example.org/1", "author": None,
        "published": START, "first_seen": START, "language": "en", "revision": 1, "withdrawn": False,
        "texts": {1: (title, text)}, "matches": {"trade": match},
    }  # fmt: skip
    return digests.EntryFacts(**{**defaults, **fields})


def order(groups: tuple[digests.Group, ...]) -> list[str]:
    return [group.story_id for group in groups]


def test_stories_come_by_severity_then_by_what_is_new_then_the_latest_first():
    sections = digests.arrange(
        [
            news("grouped", 9, type="AlertGrouped"),
            news("old", 1),
            news("late", 5),
            news("reopened", 8, type="AlertReopened"),
            news("grave", 2, severity=Severity.CRITICAL),
        ]
    )
    assert order(sections.new) == ["grave", "late", "old", "reopened", "grouped"]


def test_a_story_stands_once_with_all_its_themes_at_the_highest_severity():
    grave = alert("s", "crime", severity=Severity.HIGH)
    (group,) = digests.arrange([news("s", 1), news("s", 2, theme="crime", severity=Severity.HIGH)]).new
    assert group.severity is Severity.HIGH
    story = digests.story_line(group, [grave, alert("s")], [entry("s")], detailed=True)
    assert [each.theme for each in story.alerts] == ["crime", "trade"]
    assert story.severity is Severity.HIGH


def test_what_was_there_already_and_what_a_rule_change_found_stand_apart():
    sections = digests.arrange(
        [
            news("new", 1),
            news("there", 2, arrival=Arrival.ALREADY_THERE.value),
            news("found", 3, reason=ev.AlertReason.RULE_CHANGED.value),
        ]
    )
    assert (order(sections.new), order(sections.already_there), order(sections.rule_changed)) == (
        ["new"],
        ["there"],
        ["found"],
    )


def test_the_order_of_facts_does_not_matter():
    some = [news(f"s{n}", n, severity=list(Severity)[n % 5]) for n in range(1, 30)]
    assert digests.arrange(some) == digests.arrange(reversed(some))


def test_more_than_two_thousand_stories_are_counted():
    sections = digests.arrange(news(f"s{n}", n + 1) for n in range(2100))
    assert (len(sections.new), sections.unlisted) == (2000, 100)


def test_a_story_shows_the_sentence_the_link_and_the_reason():
    story = line()
    assert [passage.text for passage in story.passages] == ["A crane fell at dawn."]
    assert story.url == "https://news.example.org/1"
    assert story.alerts[0].rules[0].when == "crane"
    assert story.alerts[0].news == ("first_match",)


def test_of_many_hits_each_concept_has_some_and_the_expression_is_whole():
    text = "crane " * 60 + "port"
    places = [*range(0, 360, 6), 360]
    hits = tuple(
        Evidence(concept=word, term=word, field="text", start=at, end=at + len(word), text=word)
        for at in places
        for word in ("port" if at == 360 else "crane",)
    )
    when = " or ".join(f"concept-{number}" for number in range(60))
    rule = RuleMatch(rule="stop", severity=Severity.MEDIUM, when=when, evidence=hits)
    match = ev.EntryMatched(entry_id="e-s1", revision=1, theme="trade", book="b", mode="live", rules=(rule,))
    told = line(entry(text=text, matches={"trade": match})).alerts[0].rules[0]
    assert [hit.start for hit in told.evidence] == [*places[:19], 360]
    assert told.more == 41
    assert told.when == when


def test_evidence_is_shown_in_the_revision_it_was_found_in():
    story = line(entry(texts={1: ("A crane fell", TEXT), 2: ("Nothing fell", "All is well.")}, revision=2))
    assert story.headline.text == "A crane fell"
    assert story.passages[0].text == "A crane fell at dawn."
    assert story.entries[0].title == "Nothing fell"
    assert story.entries[0].revision == 2


def test_the_entry_with_the_match_leads():
    other = entry("other", title="Other", matches={}, url=None)
    assert line(other, entry()).headline.text == "A crane fell"


def test_in_brief_a_story_has_no_evidence_and_no_passages():
    story = line(detailed=False)
    assert story.passages == ()
    assert story.alerts[0].rules[0].evidence == ()
    assert story.alerts[0].rules[0].more == 1


def test_an_entry_without_a_title_takes_the_alerts():
    assert line(entry(title="  ")).headline.text == "Title of s1"


def test_entries_of_the_window_come_before_the_older_ones():
    row = alert("s1", entry_ids=("e-old", "e-s1", "e-older"))
    (group,) = digests.arrange([news("s1", 1)]).new
    assert digests.entries_of(group, [row]) == ("e-s1", "e-old", "e-older")


def source(id: str, state: str = "ok", **fields: Any) -> SourceRow:
    defaults = {"kind": "feed", "location": "", "last_error": None, "since": START, "entries": 0, "position": 1}
    return SourceRow(**{"id": id, "state": state, **defaults, **fields})


def test_coverage_counts_and_names_what_fails_official_sources_first():
    rows = [
        source("ok"),
        source("b", "failing", last_error="HTTP 503"),
        source("a", "gone", last_error="HTTP 410", since=START + timedelta(hours=1)),
        source("z-ministry", "failing"),
        source("former", "removed"),
    ]
    covered = digests.coverage(rows, 3, {"z-ministry", "ok"})
    assert (covered.sources, covered.healthy, covered.unmatched) == (4, 1, 3)
    assert [(each.source, each.official) for each in covered.failing] == [
        ("z-ministry", True),
        ("a", False),
        ("b", False),
    ]


def test_many_failing_sources_are_counted():
    covered = digests.coverage([source(f"s{n:03}", "failing") for n in range(125)], 0)
    assert (len(covered.failing), covered.more_failing) == (100, 25)


def test_notices_that_coverage_tells_anyway_never_crowd_out_others():
    def notice(kind: str, subject: str) -> digests.Notice:
        return digests.Notice(kind=kind, subject=subject, detail="no", at=START)

    covered = digests.coverage([source(f"s{n:03}", "failing") for n in range(60)], 0)
    found = [notice("SourceFailed", f"s{n:03}") for n in range(60)]
    listed, more = digests.listed_notices([*found, notice("SourceFailed", "mended"), notice("OutboxHeld", "")], covered)
    assert [each.subject for each in listed[:3]] == ["mended", "", "s000"]
    assert (len(listed), more) == (20, 0)
    listed, more = digests.listed_notices([*found, *(notice("ReceiverHeld", f"r{n}") for n in range(23))], covered)
    assert ({each.kind for each in listed}, more) == ({"ReceiverHeld"}, 3)


def test_a_period_is_never_turned_round():
    assert digests.period(START + timedelta(days=1), START).start == START


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://news.example.org/a?b=c#d", "https://news.example.org/a?b=c#d"),
        (" http://news.example.org/ ", "http://news.example.org/"),
        ("https://новости.example.org/пример", "https://новости.example.org/пример"),
        ("javascript:alert(1)", None),
        ("https://user:pw@news.example.org/", None),
        ("https://news.example.org/\u202egpj.exe", None),
        ('https://news.example.org/"onclick="x', None),
        ("https://[broken", None),
        ("https://" + "a" * 3000, None),
        ("/relative", None),
        (None, None),
    ],
)
def test_links(url: str | None, link: str | None):
    assert digests.web_link(url) == link


def test_content_comes_back_as_it_was():
    covered = digests.coverage([source("blind", "failing")], 1)
    digest = trial_digest("desk", "win-1", START, "Europe/Vienna", covered)
    content, content_hash = digests.encode(digest)
    assert digests.decode(content) == digest
    assert digests.encode(digests.decode(content)) == (content, content_hash)
    assert msgspec.json.decode(content)["window"].keys() == {"from", "to"}


def test_a_later_programs_content_with_more_keys_is_still_read():
    covered = digests.coverage([], 0)
    content = msgspec.json.decode(digests.encode(trial_digest("desk", "w", START, "UTC", covered))[0])
    content["chart"] = {"new": True}
    assert digests.decode(msgspec.json.encode(content).decode()).receiver == "desk"


def test_differences_are_named_by_their_place():
    def content(**fields: Any) -> str:
        digest = trial_digest("desk", "w", START, "UTC", digests.coverage([], 0))
        return digests.encode(msgspec.structs.replace(digest, **fields))[0]

    assert differences(content(), content()) == []
    assert differences(content(), content(position=9, new=())) == ["new (1 there, 0 here)", "position"]
    blind = digests.coverage([source("a", "failing")], 0)
    assert differences(content(), content(coverage=blind)) == [
        "coverage.failing (0 there, 1 here)",
        "coverage.sources",
    ]
    assert differences('{"a":1,"b":2}', '{"b":2,"a":1}') == ["the order or spelling of keys"]
