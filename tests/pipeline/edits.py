"""A desk whose rules are edited: real rule files in a log in memory, matched and followed as the daemon does."""

from __future__ import annotations

import json
from typing import Any

from monitor.books import compile_files, load_book
from monitor.core import digests, views
from monitor.core import events as ev
from monitor.core.digests import Digest
from monitor.core.entries import Arrival
from monitor.core.receipts import Receipt
from monitor.core.routing import DEFAULT_RECEIVERS, ReceiverBook
from monitor.errors import Fault
from monitor.pipeline.adopt import adopt_rules
from monitor.pipeline.detect import Detector
from monitor.pipeline.rule_changes import RuleChanges
from tests.builders import observed, parsed_entry
from tests.pipeline.desk import Desk

PATH = "themes/ports.yaml"


def theme(name: str = "ports", when: str = "cranes", cranes: tuple[str, ...] = ("crane*",), **fields: Any) -> str:
    """A theme of one rule over one concept, unless said otherwise. (JSON is YAML too.)"""
    whole = {
        "theme": name, "title": "Work in ports", "owner": "owner", "concepts": {"cranes": {"terms": list(cranes)}},
        "rules": [{"id": "lifted", "when": when}], **fields,
    }  # fmt: skip
    return json.dumps(whole)


class EditedDesk(Desk):
    """The rule files are in `files`; `edit` saves one, `follow` does what the daemon does then."""

    def __init__(self, configured: ReceiverBook = DEFAULT_RECEIVERS, *, followed: bool = True, **files: str) -> None:
        self.files: dict[str, str] = {}
        super().__init__(configured)
        self.edit(**files or {PATH: theme()})
        self.detector.catch_up()
        if followed:
            self.follow()

    def restart(self) -> None:
        super().restart()
        self.detector = Detector(self.store, compile_files)
        self.rule_changes = RuleChanges(self.store, self.configure, load_book)

    def edit(self, *faults: str, **files: str | None) -> None:
        """Save rule files (None: deleted); with `faults`, they are faulty."""
        changed = {**self.files, **{path: text for path, text in files.items() if text is not None}}
        gone = {path for path, text in files.items() if text is None}
        saved = {path: text for path, text in changed.items() if path not in gone}
        adopt_rules(self.store, saved, [Fault(f"rules/{path}", 3, 9, what) for path, _, what in map(_parted, faults)])
        if not faults:
            self.files = saved

    def entry(self, title: str, text: str = "", *, arrival: Arrival = Arrival.NEW, **fields: Any) -> str:
        """An entry comes now, and is matched."""
        entry = observed(parsed_entry(title, text, **fields), first_seen=self.clock(), arrival=arrival)
        self.append(f"entry/{entry.entry_id}", entry)
        self.detector.catch_up()
        return entry.entry_id

    def revise(self, entry_id: str, text: str) -> None:
        """The entry comes again with another text, and is matched."""
        row = self.store.get(views.ENTRIES, entry_id)
        assert row is not None
        revised = ev.EntryRevised(
            entry_id=entry_id, source_id=row.source_id, revision=row.revision + 1, url=row.url, title=row.title,
            author=row.author, text=text, published=row.published, updated=row.updated, seen=self.clock(),
            language=row.language, tags=(), fingerprint=text, changed=("text",), diff="",
        )  # fmt: skip
        self.append(f"entry/{entry_id}", revised)
        self.detector.catch_up()

    def follow(self) -> int:
        """Match, then follow edits to the end; the number of steps it took."""
        self.detector.catch_up()
        steps = 0
        while self.rule_changes.step(self.clock()):
            steps += 1
        return steps

    def told(self, receiver: str | None = None) -> list[Receipt]:
        """The receipts composed, in order."""
        found = (digests.decode(composed.content).receipt for composed in self.digests(receiver))
        return [receipt for receipt in found if isinstance(receipt, Receipt)]

    def found_again(self) -> list[str]:
        """Titles of the alerts that an edit raised."""
        return [row.title for row in self.store.rows(views.ALERTS) if row.reason == ev.AlertReason.RULE_CHANGED]

    def messages(self, receiver: str) -> list[Digest]:
        return [digests.decode(message.content) for message in self.receiver(receiver).sent]


def _parted(fault: str) -> tuple[str, str, str]:
    """`path: what` in its parts."""
    return fault.partition(": ")
