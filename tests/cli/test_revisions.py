"""`monitor rules`: revisions listed, files put back, nothing lost that was never in force."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.app import open_store_to_write
from monitor.cli import context, dispatch
from monitor.pipeline.adopt import adopt_rules
from monitor.settings import load_settings

ONE, TWO = "themes/one.yaml", "themes/two.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home with two revisions in its log: of the second, `two` is new and `one` is another."""
    for folder in ("rules/themes", "seeds"):
        (tmp_path / folder).mkdir(parents=True)
    store = open_store_to_write(load_settings(tmp_path))
    adopt_rules(store, {ONE: "first\n"}, [])
    adopt_rules(store, {ONE: "second, with CR LF\r\n", TWO: "two"}, [])
    store.close()
    (tmp_path / "rules" / ONE).write_bytes(b"second, with CR LF\r\n")
    (tmp_path / "rules" / TWO).write_bytes(b"two")
    yield tmp_path
    context.given_home = None


def run(home: Path, *words: str) -> int:
    return dispatch(["--home", str(home), "rules", *words])


def revisions(home: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert run(home, "--json") == 0
    return [json.loads(line)["revision"] for line in capsys.readouterr().out.splitlines()]


def files(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (home / "rules" / "themes").iterdir()}


def test_revisions_are_listed_with_what_each_changed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = revisions(home, capsys)
    assert run(home) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[::2]] == [first, second]
    assert [line.strip() for line in lines[1::2]] == [ONE, f"{ONE}, {TWO}"]
    assert run(home, "--limit", "1") == 0
    assert capsys.readouterr().out.startswith(second)


def test_a_file_is_put_back_and_one_that_was_not_there_goes(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = revisions(home, capsys)
    assert run(home, "restore", first, f"rules/{ONE}", str(home / "rules" / TWO)) == 0
    assert capsys.readouterr().out == "rules/themes/one.yaml: put back\nrules/themes/two.yaml: gone\n"
    assert files(home) == {"one.yaml": b"first\n"}
    assert run(home, "restore", second, ONE, TWO) == 0
    assert files(home) == {"one.yaml": b"second, with CR LF\r\n", "two.yaml": b"two"}
    assert run(home, "restore", second, ONE) == 0
    assert "is as it was" in capsys.readouterr().out


def test_a_text_that_was_never_in_force_is_kept_beside(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = revisions(home, capsys)
    (home / "rules" / ONE).write_bytes(b"half written")
    assert run(home, "restore", first, ONE) == 0
    assert "which was never in force, is one.yaml~" in capsys.readouterr().out
    assert files(home) == {"one.yaml": b"first\n", "one.yaml~": b"half written", "two.yaml": b"two"}


@pytest.mark.parametrize(
    "file", ["themes/three.yaml", "receivers.yaml", "../../etc/passwd", "/etc/passwd", "themes/../themes/one.yaml"]
)
def test_only_rule_files_of_the_log_are_touched(home: Path, capsys: pytest.CaptureFixture[str], file: str) -> None:
    first, _ = revisions(home, capsys)
    before = files(home)
    assert run(home, "restore", first, ONE, file) == 1
    assert "nothing was done" in capsys.readouterr().err
    assert files(home) == before


def test_an_unknown_revision_and_no_files_are_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = revisions(home, capsys)
    assert run(home, "restore", "0123456789ab", ONE) == 1
    assert "no rules of revision '0123456789ab'" in capsys.readouterr().err
    assert run(home, "restore", first) == 2
    assert "which files?" in capsys.readouterr().err


def test_a_revision_may_be_written_short(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = revisions(home, capsys)
    assert run(home, "restore", first[:6], ONE) == 0
    assert files(home)["one.yaml"] == b"first\n"
    assert run(home, "restore", first[:3], ONE) == 1
    assert "write at least 4 signs" in capsys.readouterr().err


def test_what_a_restore_makes_faulty_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theme = "theme: %s\ntitle: T\nrules: [{id: a, when: '\"x\"'}]\nexamples: {match: [x]}\n"
    with closing(open_store_to_write(load_settings(home))) as store:
        adopt_rules(store, {ONE: theme % "one"}, [])
        adopt_rules(store, {ONE: theme % "one", TWO: theme % "two"}, [])
    for name in ("one", "two"):
        (home / "rules" / "themes" / f"{name}.yaml").write_text(theme % name)
    (home / "rules" / "receivers.yaml").write_text(
        "receivers: {desk: {outbox: state/desk}}\nroutes: [{themes: [two], to: [desk]}]\n"
    )
    *_, without, both = revisions(home, capsys)
    assert run(home, "restore", both, TWO) == 0
    assert capsys.readouterr().err == ""
    assert run(home, "restore", without, TWO) == 0
    said = capsys.readouterr()
    assert said.out == "rules/themes/two.yaml: gone\n"
    assert said.err.startswith("monitor: now at fault: rules/receivers.yaml:2:20: unknown theme 'two'")
