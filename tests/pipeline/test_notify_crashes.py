"""The crash matrix of digests and deliveries: the process dies at every append and every send, once before and once
after it; whatever the moment, the next process ends with the same digests and nothing lost.
"""

import contextlib
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from monitor.core import digests, views
from monitor.core import events as ev
from monitor.core.routing import Email, OnUnknown, Receiver
from monitor.pipeline.notify import Notifier
from monitor.ports import Appended, Commit
from tests.fakes import ScriptedDraw
from tests.pipeline.desk import DELIVERED, Desk, ScriptedReceiver, book, failed, outbox

pytestmark = pytest.mark.anyio


class Killed(BaseException):
    """The process is no more."""


class Life:
    """Dies at its n-th dangerous moment, before or after the act; dead, it does nothing any more."""

    def __init__(self, moment: int | None, *, after: bool) -> None:
        self.moment, self.after = moment, after
        self.moments = 0
        self.dead = False
        self.died_at = ""

    def live(self) -> None:
        if self.dead:
            raise Killed

    def act(self, what: str, act: Callable[[], Any]) -> Any:
        self.live()
        self.moments += 1
        fatal = self.moments == self.moment
        if fatal and not self.after:
            self._die(f"before {what}")
        result = act()
        if fatal:
            self._die(f"after {what}")
        return result

    def _die(self, where: str) -> None:
        self.dead, self.died_at = True, where
        raise Killed(where)


class MortalStore:
    """A store whose process may die around an append."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.life = Life(None, after=False)

    def append(self, commit: Commit) -> tuple[Appended, ...]:
        names = "+".join(type(new.event).__name__ for new in commit.events)
        return self.life.act(names, lambda: self.store.append(commit))

    def __getattr__(self, name: str) -> Any:
        self.life.live()
        return getattr(self.store, name)


class MortalReceiver(ScriptedReceiver):
    """A peer that takes everything, while its sender may die around the sending."""

    store: MortalStore

    async def send(self, message: Any) -> Any:
        def take() -> None:
            self.sent.append(message)

        self.store.life.act("send", take)
        return DELIVERED


async def run(moment: int | None, *, after: bool) -> tuple[Desk, Life]:
    """Two alerts, ten minutes apart, to two receivers; the process may die once."""
    mail = Email(("a@example.org",))
    hold = Receiver(name="hold", target=mail, on_unknown=OnUnknown.HOLD, group_wait=timedelta(seconds=60))
    desk = Desk(book(outbox("again"), hold, operator=["hold"]))
    mortal = MortalStore(desk.store)
    desk.store = mortal
    for name in ("again", "hold"):
        receiver = desk.receivers[name] = MortalReceiver()
        receiver.store = mortal
    desk.restart()
    life = Life(moment, after=after)
    for _ in range(2):
        mortal.life = Life(None, after=False)
        desk.alert("Crane A")
        desk.clock.advance(minutes=1)
        desk.alert("Crane B")
        desk.clock.advance(minutes=9)
        mortal.life = life
        await cycle(desk, mortal)
    await cycle(desk, mortal)
    return desk, life


async def cycle(desk: Desk, mortal: MortalStore) -> None:
    try:
        desk.close()
        await desk.notifier.deliver_due(desk.clock())
        await desk.notifier.drained(20)
    except Killed:
        pass
    if mortal.life.dead:
        with contextlib.suppress(Killed):
            await desk.notifier.stop(0)  # the dead process's tasks; it can append nothing
        mortal.life = Life(None, after=False)
        desk.restart()
        for _ in range(2):
            desk.close()
            await desk.deliver()


def contents(desk: Desk) -> list[str]:
    return sorted(composed.content for composed in desk.digests())


def check(desk: Desk, whole: list[str], where: str) -> None:
    assert [titles(content) for content in contents(desk)] == [titles(content) for content in whole], where
    again, hold = (Counter(desk.receivers[name].ids) for name in ("again", "hold"))
    planned = {row.delivery_id: row for row in desk.deliveries()}
    for row in planned.values():
        if row.receiver == "again":
            assert row.state == "delivered", where
            assert 1 <= again[row.delivery_id] <= 2, where
        else:
            assert hold[row.delivery_id] <= 1, where
            assert row.state == ("delivered" if not unknown(desk, row.delivery_id) else "held"), where
            assert hold[row.delivery_id] == 1 or row.state == "held", where
    if any(times > 1 for times in again.values()):
        assert desk.events(ev.DeliveryUnknown), where
    assert len(desk.events(ev.WindowClosed)) == len({closed.window_id for closed in desk.events(ev.WindowClosed)})
    assert (again | hold).keys() <= planned.keys()


def unknown(desk: Desk, delivery_id: str) -> bool:
    return any(event.delivery_id == delivery_id for event in desk.events(ev.DeliveryUnknown))


def titles(content: str) -> list[str]:
    return [story.headline.text for story in digests.decode(content).stories]


async def test_a_death_at_any_moment_loses_nothing_and_repeats_only_under_the_same_id():
    undisturbed, life = await run(None, after=False)
    whole = contents(undisturbed)
    assert len(whole) == 4
    died = set()
    for moment in range(1, life.moments + 1):
        for after in (False, True):
            desk, disturbed = await run(moment, after=after)
            assert disturbed.dead
            died.add(disturbed.died_at)
            check(desk, whole, disturbed.died_at)
    # rows 16 to 20 of the crash matrix, each seen
    assert died >= {
        "before WindowClosed+DigestComposed",
        "after WindowClosed+DigestComposed",
        "before DeliveryAttempted",
        "after DeliveryAttempted",
        "before send",
        "after send",
        "before DigestDelivered",
        "after DigestDelivered",
    }


async def test_a_death_within_the_group_wait_keeps_the_group_and_its_deadline():
    desk = Desk(book(outbox(group_wait=timedelta(seconds=60))))
    desk.alert("First")
    desk.close()
    desk.clock.advance(seconds=30)
    desk.restart()
    desk.alert("Second")
    assert desk.close() == 0
    desk.clock.advance(seconds=30)
    desk.restart()
    assert desk.close() == 1
    assert len(titles(desk.digests()[0].content)) == 2


async def test_a_recorded_permanent_failure_is_not_resent_after_a_restart():
    desk = Desk()
    desk.receiver().outcomes = [failed("550 no such user", permanent=True)]
    desk.alert()
    await desk.turn()
    desk.restart()
    desk.clock.advance(days=2)
    await desk.turn()
    assert len(desk.receiver().sent) == 1


async def test_a_second_sender_on_the_same_log_does_not_send_the_same_attempt():
    desk = Desk()
    desk.alert()
    desk.close()
    delivery = desk.deliveries()[0]

    class Overtaken(MortalStore):
        """Another process records its attempt between our look and ours."""

        def get(self, view: Any, key: str) -> Any:
            row = self.store.get(view, key)
            if view is views.DELIVERIES and not row.in_flight:
                attempted = ev.DeliveryAttempted(delivery_id=key, digest_id=row.digest_id, attempt=1)
                desk.append(f"delivery/{key}", attempted)
            return row

    late = Notifier(Overtaken(desk.store), desk.configure, desk.connect, draw=ScriptedDraw())
    await late.deliver_due(desk.clock())
    assert await late.drained(10)
    assert not desk.receiver().sent
    assert desk.store.version(f"delivery/{delivery.delivery_id}") == 1
