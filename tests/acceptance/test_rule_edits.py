"""A theme is edited under a running daemon: found again, told of, refused, and in force after a restart."""

from __future__ import annotations

import email
import email.policy
import json
import re
import time
from email.message import EmailMessage

from tests.acceptance.harness import NOW, WallClock, Workspace, await_that

YESTERDAY = -86_400.0


def _theme(work: Workspace, *terms: str, when: str = "goods and russia") -> None:
    theme = {
        "theme": "machines", "title": "Machines for Russia", "owner": "desk", "severity": "high",
        "concepts": {"goods": {"terms": list(terms)}, "russia": {"terms": ["Russia*"]}},
        "rules": [{"id": "goods", "when": when}],
        "examples": {"match": ["Machine tools went to Russia."]},
    }  # fmt: skip
    work.write("rules/themes/machines.yaml", json.dumps(theme, indent=1))


def _box(work: Workspace, name: str) -> list[EmailMessage]:
    """The messages in a maildir of the state folder, in the order in which they came."""
    paths = sorted((work.home / "state" / name / "new").glob("*"), key=lambda path: path.stat().st_mtime_ns)
    return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in paths]


def _receipts(work: Workspace) -> list[EmailMessage]:
    return [message for message in _box(work, "desk") if message["X-Monitor-Receipt"]]


def _plain(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def _titles(work: Workspace) -> dict[str, str]:
    return {alert["title"]: alert["reason"] for alert in work.list("alerts")}


def test_an_edit_its_receipt_its_finds_and_a_fault(work: Workspace, clock: WallClock) -> None:
    work.receivers(
        {
            "desk": {"outbox": "state/desk", "schedule": {"every": "12h"}},
            "duty": {"outbox": "state/duty", **NOW},
        },
        operator=["duty"],
    )
    work.sources(folder=True)
    _theme(work, "machine tool*")
    work.write("seeds/documents/one.txt", "Lathes on the way\n\nCustoms found six lathes on the way to Russia.\n")
    work.write("seeds/documents/two.txt", "Machine tools seized\n\nCustoms seized machine tools bound for Russia.\n")
    clock.shift(YESTERDAY)
    work.once(env=clock.env)
    assert list(_titles(work)) == ["Machine tools seized"]
    before = work.status()["rules_revision"]

    clock.shift(0)
    with work.daemon(env=clock.env) as daemon:
        daemon.ready()
        # a term is added: the next entry is flagged, that of yesterday is found, its owner is told
        saved = time.monotonic()
        _theme(work, "machine tool*", "lathe*")
        await_that(lambda: len(work.log("RuleBookAdopted")) == 2, within=5, what="the edit is adopted")
        work.write("seeds/documents/three.txt", "New lathes\n\nA firm sold lathes to a buyer in Russia.\n")
        await_that(lambda: "New lathes" in _titles(work), within=5, what="the next entry is flagged")
        flagged = time.monotonic() - saved
        [receipt] = await_that(lambda: _receipts(work), within=10, what="the owner has the receipt")
        await_that(lambda: len(_titles(work)) == 3, within=10, what="yesterday's entry is found")
        assert _titles(work)["Lathes on the way"] == "rule_changed"
        assert flagged < 5
        _assert_telling(receipt, before)

        # the scheduled receiver's next digest names it apart; no immediate one does
        work.ok("digest", "send", "desk")
        sections = await_that(
            lambda: [_plain(got).partition("FOUND BY YOUR RULE CHANGE")[2] for got in _box(work, "desk")
                     if "New lathes" in _plain(got)],
            within=10, what="the desk's digest",
        )  # fmt: skip
        assert ["Lathes on the way" in section for section in sections] == [True]
        assert ["New lathes" in section for section in sections] == [False]
        assert not any("Lathes on the way" in _plain(message) for message in _box(work, "duty"))

        # a fault: the old rules go on, status, owner and operator are told
        _theme(work, "machine tool*", "lathe*", when="goods and rusia")
        fault = r"rules/themes/machines\.yaml:\d+:\d+: unknown concept 'rusia'; did you mean 'russia'\?"
        [told] = await_that(lambda: _receipts(work)[1:], within=10, what="the owner hears of the fault")
        assert re.search(fault, " ".join(_plain(told).split()))
        assert "not in force" in told["Subject"]
        assert any(re.search(fault, line) for line in work.status()["faults"])
        clock.shift(60)
        await_that(
            lambda: any("did you mean 'russia'" in " ".join(_plain(got).split()) for got in _box(work, "duty")),
            within=10, what="the operator hears of it",
        )  # fmt: skip
        work.write("seeds/documents/four.txt", "More lathes\n\nLathes were sold to Russia again.\n")
        await_that(lambda: "More lathes" in _titles(work), within=10, what="the old rules flag")
        daemon.kill()

    with work.daemon() as daemon:
        daemon.ready()
        daemon.await_said("did you mean 'russia'")
        work.write("seeds/documents/five.txt", "Still lathes\n\nLathes were sold to Russia once more.\n")
        await_that(lambda: "Still lathes" in _titles(work), within=10, what="the last adopted rules flag")
        undone = work.ok("rules", "restore", before, "rules/themes/machines.yaml")
        assert "machines.yaml" in undone.out
        await_that(lambda: work.status()["rules_revision"] == before, within=10, what="the first rules are in force")
        await_that(lambda: len(_receipts(work)) == 3, within=10, what="the owner is told of that, too")
        daemon.stop()
    assert "−4" in _receipts(work)[2]["Subject"]
    work.verify()
    rebuilt = work.look("digest", "rebuild", receipt["X-Monitor-Digest"])
    assert rebuilt.code == 0, rebuilt.out


def _assert_telling(receipt: EmailMessage, before: str) -> None:
    text = _plain(receipt)
    assert "Machines for Russia" in receipt["Subject"]
    assert receipt["X-Monitor-Receipt"] == "adopted"
    for words in (
        "Lathes on the way", "| Customs found six *lathes* on the way to Russia.", "newly found: 'lathe*'",
        "added: lathe*", "its example passes", f"monitor rules restore {before}", "rules/themes/machines.yaml",
    ):  # fmt: skip
        assert words in text, words
    assert max(map(len, text.splitlines())) <= 80
