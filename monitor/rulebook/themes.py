"""Rule files to a rule book: themes, shared vocabularies, watch-lists; every fault of every file at once."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from monitor.errors import Fault
from monitor.matching.book import RuleBook
from monitor.rulebook.concepts import DraftConcept, read_vocabulary
from monitor.rulebook.document import MAX_CHARACTERS, parse
from monitor.rulebook.nodes import MAX_FAULTS, too_many
from monitor.rulebook.resolve import Resolver
from monitor.rulebook.theme_file import DraftTheme, read_theme
from monitor.rulebook.watchlists import MAX_NAMES, Watchlist, read_watchlist

MAX_BYTES = 32_000_000
ROOT = "rules/"
_YAML = (".yaml", ".yml")
_LISTS = (".csv", ".txt")
_UNREAD = "nothing reads a file of this name; wanted: themes/<name>.yaml, concepts/<name>.yaml or receivers.yaml"


def load_rules(files: Mapping[str, str]) -> tuple[RuleBook | None, list[Fault]]:
    """The rule book in these files (path relative to `rules/` -> text), or None and every fault found.

    A broken row of a watch-list is left out and stands in the book's `warnings`. Files other than themes, concepts and
    watch-lists are left alone.
    """
    faults, warnings = FaultList(), FaultList()
    names = 0
    themes: list[DraftTheme] = []
    vocabularies: dict[str, dict[str, DraftConcept]] = {}
    lists: dict[str, Watchlist] = {}
    for path in sorted(files):
        folder, name = PurePosixPath(path).parent.as_posix(), PurePosixPath(path)
        if folder == "watchlists" and name.suffix in _LISTS:
            lists[path] = read_watchlist(ROOT + path, files[path], warnings)
            names += len(lists[path].terms)
            if names > MAX_NAMES:
                message = f"more than {MAX_NAMES:,} names in watch-lists; so many are read"
                return None, [Fault(ROOT + path, 0, 0, message)]
        elif name.suffix in _YAML and folder in ("themes", "concepts"):
            node = parse(ROOT + path, files[path], faults)
            if node is None:
                continue
            if folder == "themes":
                themes.append(read_theme(node, ROOT + path, name.stem, faults))
            elif name.stem in vocabularies:
                faults.append(Fault(ROOT + path, 0, 0, f"there is {name.stem}.yaml too; remove one of them"))
            else:
                vocabularies[name.stem] = read_vocabulary(node, ROOT + path, name.stem, faults)
    resolved, concepts = Resolver(vocabularies, lists, faults).resolve(themes)
    if not faults and not resolved:
        faults.append(Fault(ROOT + "themes", 0, 0, "there is no theme; add one as themes/<name>.yaml"))
    if faults:
        return None, sorted(faults.all() + warnings.all())
    return RuleBook(
        revision=revision_of(files), themes=resolved, concepts=concepts, warnings=tuple(sorted(warnings.all()))
    ), []


class FaultList(list[Fault]):
    """Faults as they are found, of each file at most `MAX_FAULTS`; the others are only counted."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[str] = Counter()

    def append(self, fault: Fault) -> None:
        self._counts[fault.path] += 1
        if self._counts[fault.path] <= MAX_FAULTS:
            super().append(fault)

    def all(self) -> list[Fault]:
        """Those kept and, of each file that has more, how many it has."""
        many = [(path, count) for path, count in self._counts.items() if count > MAX_FAULTS]
        return [*self, *(too_many(path, count) for path, count in many)]


def revision_of(files: Mapping[str, str]) -> str:
    """24 hex digits over the paths and texts of all theme, concept and watch-list files."""
    digest = hashlib.sha256()
    for path in sorted(files):
        if is_rule_file(path):
            for part in (path, files[path]):
                data = part.encode("utf-8", "surrogatepass")
                digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:24]


def is_rule_file(path: str) -> bool:
    """Whether a path relative to `rules/` is part of the rule book."""
    name = PurePosixPath(path)
    suffixes = {"themes": _YAML, "concepts": _YAML, "watchlists": _LISTS}.get(name.parent.as_posix(), ())
    return name.suffix in suffixes and not name.name.startswith(".")


def read_rule_files(rules: Path) -> tuple[Mapping[str, str], list[Fault]]:
    """The texts of all rule files under `rules/`; files that cannot be read are faults, the others are there."""
    faults: list[Fault] = []
    texts: dict[str, str] = {}
    if not rules.is_dir():
        return {}, [Fault("rules/", 0, 0, "there is no such folder; `monitor init` makes one")]
    for file in sorted(rules.glob("*/*")):
        path = file.relative_to(rules).as_posix()
        if is_rule_file(path) and (text := _read(file, ROOT + path, faults)) is not None:
            texts[path] = text
    faults += [Fault(ROOT + path, 0, 0, _UNREAD) for path in _yaml_files(rules) if _is_astray(path)]
    return texts, faults


def _yaml_files(rules: Path) -> list[str]:
    """Every YAML file under `rules/`, however deep, but for what is hidden."""
    found: list[str] = []
    for folder, folders, names in os.walk(rules):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            (Path(folder) / name).relative_to(rules).as_posix()
            for name in names
            if not name.startswith(".") and PurePosixPath(name).suffix.lower() in _YAML
        ]
    return sorted(found)


def _is_astray(path: str) -> bool:
    return not is_rule_file(path) and path != "receivers.yaml"


def _read(file: Path, shown: str, faults: list[Fault]) -> str | None:
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            faults.append(Fault(shown, 0, 0, "not a file; it is not read"))
            return None
        size = found.st_size
        limit = MAX_BYTES if file.suffix in _LISTS else MAX_CHARACTERS * 4
        if size > limit:
            faults.append(Fault(shown, 0, 0, f"{size:,} bytes; at most {limit:,} are read"))
            return None
        data = file.read_bytes()
    except OSError as error:
        faults.append(Fault(shown, 0, 0, f"cannot be read: {error.strerror or error}"))
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        faults.append(Fault(shown, line, 1, f"not UTF-8 (byte {error.start + 1}); save the file as UTF-8"))
        return None
