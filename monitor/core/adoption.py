"""Edited files against the ones in force: adopt what changed, refuse what is faulty, else say nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence

from monitor.core import events as ev
from monitor.core.views import BookRow
from monitor.errors import Fault

MAX_FAULTS = 200


def revision_of(*parts: Mapping[str, str]) -> str:
    """12 hex digits that name a set of texts: equal texts, equal revision, on every machine."""
    digest = hashlib.sha256()
    for part in parts:
        for key in sorted(part):
            for text in (key, part[key]):
                data = text.encode("utf-8", "surrogatepass")
                digest.update(len(data).to_bytes(8, "big") + data)
        digest.update(b"\xff" * 8)
    return digest.hexdigest()[:12]


def changes(current: BookRow | None, files: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """(path -> new text, paths that went) from the files in force to `files`."""
    before = current.files if current else {}
    changed = {path: text for path, text in sorted(files.items()) if before.get(path) != text}
    return changed, tuple(sorted(before.keys() - files.keys()))


def adopt_rules(current: BookRow | None, files: Mapping[str, str], faults: Sequence[Fault]) -> ev.Event | None:
    """`RuleBookAdopted` with what changed, `RuleBookRefused` (once per faulty state), or None where nothing is new."""
    revision = revision_of(files)
    if faults:
        said = current is not None and current.refused == revision
        return None if said else ev.RuleBookRefused(revision=revision, faults=_lines(faults))
    if current is not None and current.revision == revision and current.refused is None:
        return None
    changed, removed = changes(current, files)
    return ev.RuleBookAdopted(revision=revision, changed=changed, removed=removed)


def adopt_configuration(
    current: BookRow | None,
    files: Mapping[str, str],
    settings: Mapping[str, str],
    versions: Mapping[str, str],
    *,
    faulty: bool,
) -> ev.ConfigurationAdopted | None:
    """What is in force of `receivers.yaml`, `sources.yaml`, the settings that shape a digest, and the versions.

    `files` hold, for a file that is faulty now, the text in force; `faulty` says that there is one.
    """
    revision = revision_of(files, settings, versions)
    if current is not None and current.revision == revision and (current.refused is None or faulty):
        return None
    changed, removed = changes(current, files)
    return ev.ConfigurationAdopted(
        revision=revision, changed=changed, removed=removed, settings=dict(settings), versions=dict(versions)
    )


def refuse_configuration(
    current: BookRow | None, files: Mapping[str, str], faults: Sequence[Fault]
) -> ev.ConfigurationRefused | None:
    """What is wrong with the files as they are on disk, said once per faulty state."""
    revision = revision_of(files)
    if not faults or (current is not None and current.refused == revision):
        return None
    return ev.ConfigurationRefused(revision=revision, faults=_lines(faults))


def receiver_changes(
    known: Collection[str], configured: Collection[str]
) -> tuple[ev.ReceiverAdded | ev.ReceiverRemoved, ...]:
    """Receivers that came or went, in order of name."""
    came = tuple(ev.ReceiverAdded(receiver=name) for name in sorted(set(configured) - set(known)))
    went = tuple(ev.ReceiverRemoved(receiver=name) for name in sorted(set(known) - set(configured)))
    return came + went


def _lines(faults: Sequence[Fault]) -> tuple[str, ...]:
    shown = tuple(str(fault) for fault in faults[:MAX_FAULTS])
    more = len(faults) - MAX_FAULTS
    return (*shown, f"+{more} more") if more > 0 else shown
