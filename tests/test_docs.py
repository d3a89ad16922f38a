"""What the documents promise is what the program is: commands, events, keys, versions, links."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from monitor import cli
from monitor.rulebook.receivers import _LATER as LATER_RECEIVER_KEYS
from monitor.settings import _CHECKS as SETTINGS
from tests import commands_page, events_page

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])

COMMAND_1 = "python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt . && .venv/bin/monitor run"
COMMAND_2 = "python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e '.[dev]' && .venv/bin/pytest"


@cache
def _documented() -> str:
    return "\n".join(page.read_text("utf-8") for page in PAGES)


def _code_blocks(text: str) -> list[str]:
    return [block.strip() for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


def test_readme_prints_the_two_commands_alone_in_their_blocks() -> None:
    assert _code_blocks(README).count(COMMAND_1) == 1
    assert _code_blocks(README).count(COMMAND_2) == 1


def test_ci_runs_command_2_letter_for_letter() -> None:
    [command] = [block for block in _code_blocks(README) if block.endswith("/pytest")]
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert re.search(rf"^{re.escape(command)}\n}} \|\| exit$", script, re.MULTILINE), "and its failure ends the run"


def test_ci_is_executable_and_sound() -> None:
    for script in ("run", "constraints"):
        path = ROOT / ".ci" / script
        assert path.stat().st_mode & 0o111
        assert "set -euo pipefail" in path.read_text("utf-8")
        subprocess.run(["bash", "-n", path], check=True)


@pytest.mark.parametrize("command", [name for name, _, _ in cli._COMMANDS])
def test_every_command_is_documented(command: str) -> None:
    assert re.search(rf"monitor {re.escape(command)}\b", _documented()), f"no page shows `monitor {command}`"


def test_no_page_shows_a_command_that_is_not_there() -> None:
    known = {name for name, _, _ in cli._COMMANDS}
    shown = set(re.findall(r"`(?:\.venv/bin/)?monitor ([a-z][a-z-]+)", _documented()))
    assert shown - known == set()


def test_every_event_is_documented_as_it_is() -> None:
    assert events_page.PAGE.read_text("utf-8") == events_page.render(), "stale: run `python -m tests.events_page`"


def test_every_command_is_documented_as_it_is() -> None:
    assert commands_page.PAGE.read_text("utf-8") == commands_page.render(), "stale: run `python -m tests.commands_page`"


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert [key for key in SETTINGS if f"`{key}`" not in page] == []


def _schema(name: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "--home", str(ROOT), "schema", name],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    schema: dict[str, object] = json.loads(done.stdout)
    return schema


NOT_YET = (*LATER_RECEIVER_KEYS,)  # the schema knows them, the program says that it does not yet


def _keys(schema: object) -> set[str]:
    """Every property's name, however deep, that a file may have; patterns aside."""
    found: set[str] = set()
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if isinstance(properties, dict):
            found |= set(properties)
        for value in schema.values():
            found |= _keys(value)
    elif isinstance(schema, list):
        for value in schema:
            found |= _keys(value)
    return found


@pytest.mark.parametrize(
    ("schema", "page"),
    [("theme", "docs/rules.md"), ("receivers", "docs/delivery.md"), ("sources", "docs/sources.md")],
)
def test_every_key_of_the_files_is_documented(schema: str, page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    keys = _keys(_schema(schema)) - set(NOT_YET)
    assert len(keys) > 5
    assert sorted(key for key in keys if not re.search(rf"\b{re.escape(key)}\b", text)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|mailto:)([^)#]*)", page.read_text("utf-8"))
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


def _pins() -> dict[str, list[Requirement]]:
    pins: dict[str, list[Requirement]] = {}
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    return pins


def test_constraints_pin_everything_that_is_required() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    required = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    pins = _pins()
    for requirement in map(Requirement, required):
        if canonicalize_name(requirement.name) == project["name"]:
            continue
        versions = [next(iter(pin.specifier)) for pin in pins[canonicalize_name(requirement.name)]]
        for version in versions:
            assert version.operator == "=="
            assert requirement.specifier.contains(Version(version.version)), f"{requirement} but pinned to {version}"


def test_constraints_hold_versions_and_nothing_else() -> None:
    text = (ROOT / "constraints.txt").read_text("utf-8")
    assert not re.search(r"://|--|@|\\", re.sub(r"^#.*$", "", text, flags=re.MULTILINE))


def test_the_licence_is_whole_and_the_changelog_is_kept() -> None:
    licence = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in licence and "END OF TERMS AND CONDITIONS" in licence
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
