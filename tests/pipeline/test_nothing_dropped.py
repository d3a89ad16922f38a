"""The law of routing: whatever happens, each alert is told once, or once counted or listed as not sent; digests of all
this are composed anew with the same bytes.
"""

from __future__ import annotations

from collections import Counter
from datetime import time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core import digests
from monitor.core.routing import CatchUp, QuietHours, Receiver
from monitor.core.schedule import At, Daily, Every
from monitor.matching.model import Severity
from tests.pipeline.desk import Desk, book, outbox

NIGHT = Daily(time(22), time(6, 30), "Europe/Vienna")
SILENCE = "sil-1"

QUIET = st.one_of(
    st.none(),
    st.builds(QuietHours, st.just(NIGHT), st.booleans(), st.sampled_from([None, Severity.HIGH])),
)
RECEIVERS = st.one_of(
    st.builds(
        lambda quiet, wait: outbox("desk", quiet=quiet, group_wait=timedelta(minutes=wait)),
        QUIET,
        st.sampled_from([0, 20]),
    ),
    st.builds(
        lambda quiet, schedule, catch_up, always: outbox(
            "desk", quiet=quiet, schedule=schedule, catch_up=catch_up, always=always
        ),
        QUIET,
        st.sampled_from([Every(timedelta(hours=1)), At((time(7), time(23)), "Europe/Vienna")]),
        st.sampled_from(CatchUp),
        st.booleans(),
    ),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("alert"), st.sampled_from([Severity.LOW, Severity.HIGH]), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([0.1, 1, 5, 30])),
        st.sampled_from([("close",), ("restart",), ("by hand",)]),
    ),
    max_size=40,
)


def run(receiver: Receiver, steps: list[tuple[object, ...]]) -> tuple[Desk, list[str], int]:
    """What comes of the steps: the desk, the titles of all alerts that were not silenced, the number of the others."""
    desk, titles, silenced = Desk(book(receiver)), [], 0
    for number, (what, *rest) in enumerate([*steps, ("wait", 30), ("close",)]):
        if what == "alert":
            severity, hidden = rest
            title = f"Alert number {number}"
            desk.alert(title, severity=severity, silence=SILENCE if hidden else None)  # type: ignore[arg-type]
            silenced += bool(hidden)
            titles += [] if hidden else [title]
        elif what == "wait":
            desk.clock.advance(hours=rest[0])  # type: ignore[arg-type]
        elif what == "close":
            desk.close()
        elif what == "restart":
            desk.restart()
        else:
            desk.close()
            desk.notifier.send_now("desk", actor="ann")
    return desk, titles, silenced


@settings(max_examples=150, deadline=None)
@given(RECEIVERS, STEPS)
def test_each_alert_is_told_once_or_once_listed_as_not_sent(
    receiver: Receiver, steps: list[tuple[object, ...]]
) -> None:
    desk, titles, silenced = run(receiver, steps)
    desk.clock.now = desk.clock.now.replace(hour=12)  # no quiet hour, and a last digest that tells of all before it
    desk.close()
    desk.alert("The last one", severity=Severity.HIGH)
    desk.notifier.send_now("desk", actor="ann")
    told: Counter[str] = Counter()
    hidden = 0
    for composed in desk.digests():
        digest = digests.decode(composed.content)
        told.update(story.headline.text for story in digest.stories)
        if digest.omitted:
            told.update(line.title for line in digest.omitted.listed)
            hidden += digest.omitted.silenced
            assert digest.omitted.dropped + digest.omitted.skipped == len(digest.omitted.listed)
    assert told == Counter([*titles, "The last one"])
    assert hidden == silenced
    desk.restart()
    for composed in desk.digests():
        assert digests.encode(desk.composer.rebuild(composed.digest_id)[1])[0] == composed.content
