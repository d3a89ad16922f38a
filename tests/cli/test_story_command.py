"""`monitor story`: merge and split, and what `monitor stories` lists then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.app import open_store_to_write
from monitor.books import compile_files
from monitor.cli import context, dispatch
from monitor.core.events import NewEvent
from monitor.pipeline.adopt import adopt_rules
from monitor.pipeline.detect import Detector
from monitor.ports import Commit
from monitor.settings import load_settings
from tests.builders import observed, parsed_entry
from tests.pipeline.edits import PATH, theme


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with three entries, each a story."""
    for folder in ("rules/themes", "seeds"):
        (tmp_path / folder).mkdir(parents=True)
    store = open_store_to_write(load_settings(tmp_path))
    adopt_rules(store, {PATH: theme()}, [])
    for number in range(3):
        entry = observed(parsed_entry(f"Entry {number}"), source_id=f"outlet-{number}")
        store.append(Commit(events=(NewEvent(stream=f"entry/{entry.entry_id}", event=entry),)))
    Detector(store, compile_files).catch_up()
    store.close()
    monkeypatch.setattr(context, "given_home", None)
    return tmp_path


def test_stories_are_merged_and_split(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> str:
        assert dispatch(["--home", str(home), *words]) == 0
        return capsys.readouterr().out

    def stories() -> list[dict[str, object]]:
        return [json.loads(line) for line in run("stories", "--json").splitlines()]

    one, two, three = (str(row["story_id"]) for row in stories())
    assert run("story", "merge", one, two).startswith(f"{two} is {one} now, position ")
    merged, _ = stories()
    assert (merged["story_id"], merged["sources"], merged["independent_sources"]) == (one, ["outlet-0", "outlet-1"], 2)
    entry = merged["entry_ids"][1]  # type: ignore[index]
    new_id = run("story", "split", one, entry).partition(" ")[0]
    assert [row["story_id"] for row in stories()] == [one, three, new_id]
    assert [row["independent_sources"] for row in stories()] == [1, 1, 1]
    assert dispatch(["--home", str(home), "story", "split", one, entry]) != 0
    assert f"entry '{entry}' is not of story '{one}'" in capsys.readouterr().err
