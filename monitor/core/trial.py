"""A marked test message, for trying out a receiver."""

from __future__ import annotations

from datetime import datetime, timedelta

from monitor.core.digests import AlertLine, Coverage, Digest, EntryLine, RuleLine, StoryLine, period
from monitor.core.entries import derived_id
from monitor.core.excerpts import Passage, passages
from monitor.matching.model import Evidence, Severity


def trial_digest(receiver: str, window: str, at: datetime, time_zone: str, covered: Coverage) -> Digest:
    """A marked test message: one made-up story, so that its look can be judged."""
    sentence = "This is a test message of theme-monitor: if you can read it, this receiver works."
    mark = sentence.index("test message")
    evidence = Evidence(
        concept="test", term="test message", field="text", start=mark, end=mark + len("test message"),
        text="test message",
    )  # fmt: skip
    rule = RuleLine(rule="test", severity=Severity.INFO, when='"test message"', evidence=(evidence,), more=0)
    alert = AlertLine(
        alert_id="alr-test", theme="test", theme_title="Test", severity=Severity.INFO, state="open",
        title="A test message", reason="first_match", story_id="sto-test", entry_ids=("ent-test",), sources=("test",),
        raised_at=at, position=0, news=("first_match",), rules=(rule,),
    )  # fmt: skip
    entry = EntryLine(
        entry_id="ent-test", source="test", title="A test message", url=None, author=None, published=at,
        first_seen=at, language="en", revision=1, withdrawn=False,
    )  # fmt: skip
    story = StoryLine(
        story_id="sto-test", severity=Severity.INFO, headline=Passage("A test message"), url=None, language="en",
        detailed=True, alerts=(alert,), entries=(entry,), more_entries=0,
        passages=passages(sentence, [(evidence.start, evidence.end, "test")]),
    )  # fmt: skip
    return Digest(
        digest_id=derived_id("dig", window), window_id=window, receiver=receiver,
        window=period(at - timedelta(hours=1), at), after=0, position=0, head="", rules_revision="",
        configuration_revision="", time_zone=time_zone, new=(story,), coverage=covered, test=True,
    )  # fmt: skip
