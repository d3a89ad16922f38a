"""The JSON Schemas for editors: what the program takes, an editor must not mark as wrong."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
import yaml  # by the C loader, as editors do: the Python one stumbles over `licen?e`

from monitor.rulebook.schema import schema_of

ROOT = Path(__file__).parents[2]
KINDS = {"themes": "theme", "concepts": "concepts", "receivers": "receivers", "sources": "sources"}
PLACES = ("rules", "seeds", "monitor/skeleton")
FILES = [path for place in PLACES for path in sorted((ROOT / place).rglob("*.yaml"))]


@cache
def _validator(kind: str) -> Any:
    return fastjsonschema.compile(json.loads(schema_of(kind)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_sound_files_are_sound_to_an_editor(path: Path) -> None:
    kind = KINDS.get(path.stem) or KINDS[path.parent.name]
    _validator(kind)(yaml.load(path.read_text("utf-8"), yaml.CSafeLoader) or {})


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("theme", "{theme: t, title: T, description: D, rules: [{id: r, when: a}]}"),
        ("receivers", "{receivers: {x: {webhook: {url: 'https://x.example/', headers: {A: b}}}}, routes: [{to: [x]}]}"),
    ],
)
def test_keys_that_are_rare_are_known(kind: str, text: str) -> None:
    _validator(kind)(yaml.load(text, yaml.CSafeLoader))


def test_an_unknown_key_is_marked() -> None:
    with pytest.raises(fastjsonschema.JsonSchemaException, match="colour"):
        _validator("theme")({"theme": "t", "title": "T", "colour": "red", "rules": [{"id": "r", "when": "a"}]})
