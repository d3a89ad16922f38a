"""Where two stored digests differ, in words a person can follow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec


def differences(one: str, other: str, limit: int = 10) -> list[str]:
    """Where two contents differ, as paths (`coverage.healthy`, `new[2].url`); empty where they are the same bytes."""
    if one == other:
        return []
    found = list(islice(_differences(msgspec.json.decode(one), msgspec.json.decode(other), ""), limit))
    return found or ["the order or spelling of keys"]


def _differences(one: object, other: object, path: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            if key not in one or key not in other:
                yield f"{path}.{key}".lstrip(".")
            else:
                yield from _differences(one[key], other[key], f"{path}.{key}".lstrip("."))
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            yield f"{path} ({len(one)} there, {len(other)} here)"
        for number, (mine, theirs) in enumerate(zip(one, other, strict=False)):
            yield from _differences(mine, theirs, f"{path}[{number}]")
    elif one != other:
        yield path
