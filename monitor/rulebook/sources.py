"""`seeds/sources.yaml`: what is watched. Each fault at its line and column; the other sources are still there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from monitor.core.entries import Kind, Source, Tier
from monitor.core.urls import secret_query_keys
from monitor.core.variables import variables
from monitor.errors import Fault
from monitor.rulebook.document import Fields, Node, did_you_mean, parse
from monitor.rulebook.written import ANYWHERE, VARIABLE, Surroundings, unseen, veiled

SEED_FOLDER = Source(id="seed-documents", kind=Kind.FOLDER, location="documents/")
"""Watched always: what is laid into `seeds/documents/` is read whether a file says so or not."""

SHORTEST, LONGEST = 60, 366 * 86_400  # seconds of `every`
POLITE = 1800  # below that, `monitor check` warns
FOLDER_EVERY = 300

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_LANGUAGE = r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*"
_WEB_ADDRESS = re.compile(r"https?://[^\s/?#@]+(?:[/?#]\S*)?")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = ("host", "content-length", "connection", "if-none-match", "if-modified-since", "transfer-encoding")
_SECRET_HEADER = re.compile(r"(?i)authorization|cookie|token|secret|password|(?:^|-)key$")
_LATER = ("page", "sitemap")


@dataclass(frozen=True, slots=True)
class _Defaults:
    every: int = 3600
    tags: tuple[str, ...] = ()
    tier: Tier = Tier.PRESS
    language: str | None = None


def load_sources(
    path_shown: str, text: str, surroundings: Surroundings = ANYWHERE
) -> tuple[tuple[Source, ...], list[Fault]]:
    """The sound sources, in the file's order, and every fault. No source at all where the file cannot be parsed."""
    if all(not line.strip() or line.lstrip().startswith("#") for line in text.lstrip("\ufeff").splitlines()):
        return (SEED_FOLDER,), []
    faults: list[Fault] = []
    root = parse(path_shown, text, faults)
    if root is None:
        return (), faults
    sources = _Loader(path_shown, faults, surroundings).sources(root)
    return tuple(sources), veiled(faults)


def lint_sources(path_shown: str, sources: Iterable[Source]) -> list[Fault]:
    """What is legal but poor."""
    found: list[str] = []
    seen: dict[str, str] = {}
    for source in sources:
        if source.kind is Kind.FEED and source.every < POLITE:
            found.append(
                f"source '{source.id}' is wanted every {source.every // 60} min; many servers resent less than 30 min"
            )
        first = seen.setdefault(source.location, source.id)
        if first != source.id:
            found.append(f"source '{source.id}' has the address of '{first}': each entry will come twice")
    return [Fault(path_shown, 0, 0, message) for message in found]


class _Loader:
    def __init__(self, path: str, faults: list[Fault], surroundings: Surroundings) -> None:
        self._path, self._faults, self._surroundings = path, faults, surroundings

    def sources(self, root: Node) -> list[Source]:
        fields = Fields(root, self._path, self._faults, "sources file")
        defaults = self._defaults(fields.node("defaults"))
        found: dict[str, Source] = {}
        lines: dict[str, int] = {}
        for node in fields.items("sources"):
            wrong: list[Fault] = []
            source = self._source(node, defaults, wrong)
            if source is not None and source.id in lines:
                first = lines[source.id]
                wrong.append(node.fault(f"the id '{source.id}' stands here a second time (first in line {first})"))
            self._faults += wrong
            if source is not None and not wrong:
                lines[source.id] = node.line
                found[source.id] = source
        fields.finish()
        sources = list(found.values())
        if not any(source.kind is Kind.FOLDER and _same_folder(source.location) for source in sources):
            sources.append(SEED_FOLDER)
        return sources

    def _defaults(self, node: Node | None) -> _Defaults:
        if node is None:
            return _Defaults()
        fields = Fields(node, self._path, self._faults, "defaults")
        if fields.has("headers"):
            fields.node("headers")
            fields.fault(fields.key("headers"), "headers belong to one source; here they would be sent to all of them")
        usual = _Defaults()
        defaults = _Defaults(
            every=_every(fields, usual.every),
            tags=fields.texts("tags"),
            tier=_tier(fields, usual.tier),
            language=fields.text("language", pattern=_LANGUAGE),
        )
        fields.finish()
        return defaults

    def _source(self, node: Node, defaults: _Defaults, wrong: list[Fault]) -> Source | None:
        fields = Fields(node, self._path, wrong, "source")
        name = fields.text("id", required=True)
        if name is not None and (not _NAME.fullmatch(name) or name.startswith("by-hand")):
            said = (
                "is kept for what is given by hand" if name.startswith("by-hand") else "is no name; wanted: a-z, 0-9, -"
            )
            fields.fault(fields.node("id") or node, f"the id '{name[:60]}' {said}")
        kind = self._kind(fields)
        location = self._location(fields, kind)
        usual = FOLDER_EVERY if kind is Kind.FOLDER else defaults.every
        source = Source(
            id=name or "",
            kind=kind,
            location=location,
            every=_every(fields, usual),
            tags=tuple(dict.fromkeys((*defaults.tags, *fields.texts("tags")))),
            tier=_tier(fields, defaults.tier),
            language=fields.text("language", defaults.language, pattern=_LANGUAGE),
            headers=self._headers(fields, kind, wrong),
        )
        if fields.flag("full_text"):
            fields.fault(fields.key("full_text"), "this version does not fetch linked articles yet; remove the line")
        if kind is Kind.FEED:
            self._check_address(fields, wrong)
        fields.finish()
        return source if name else None

    def _kind(self, fields: Fields) -> Kind:
        usual = Kind.FOLDER if fields.has("path") and not fields.has("url") else Kind.FEED
        node = fields.node("kind")
        if node is None:
            return usual
        words = [kind.value for kind in Kind]
        if node.kind == "text" and node.text in words:
            return Kind(node.text)
        if node.kind == "text" and node.text in _LATER:
            fields.fault(
                node, f"this version does not read sources of kind '{node.text}' yet; known: {', '.join(words)}"
            )
        elif fields.is_text(node):
            hint = did_you_mean(node.text, words)
            fields.fault(node, f"'kind' is '{node.text[:60]}'; wanted: {', '.join(words)}{hint}")
        return usual

    def _location(self, fields: Fields, kind: Kind) -> str:
        wanted, other = ("path", "url") if kind is Kind.FOLDER else ("url", "path")
        if fields.has(other):
            fields.node(other)
            fields.fault(fields.key(other), f"a {kind.value} has a '{wanted}', not a '{other}'")
        location = fields.text(wanted, required=not fields.has(other)) or ""
        if kind is Kind.FOLDER and location.startswith("~"):
            fields.fault(fields.key(wanted), "write the folder's path out; '~' means another folder to the daemon")
        if kind is Kind.FOLDER and VARIABLE.search(location):
            fields.fault(fields.key(wanted), "${…} is for 'url' and 'headers' only")
        return location

    def _check_address(self, fields: Fields, wrong: list[Fault]) -> None:
        node = fields.node("url")
        if node is None or node.kind != "text":
            return
        self._surroundings.check_variables(fields, node)
        literal = VARIABLE.sub("x", node.text)
        for key in secret_query_keys(VARIABLE.sub("", node.text)):
            wrong.append(unseen(node, f"'{key}' in the address looks like a secret; write its value as ${{NAME}}"))
        if "@" in re.split(r"[/?#]", literal.partition("://")[2])[0]:
            userinfo = node.text.partition("://")[2].rpartition("@")[0]
            if VARIABLE.sub("", userinfo).strip(":"):
                wrong.append(unseen(node, "user and password do not belong into a file; write them as ${NAME}:${NAME}"))
        elif not VARIABLE.fullmatch(node.text) and not _WEB_ADDRESS.fullmatch(literal):
            fields.fault(node, "'url' is no web address; wanted: one as in https://example.org/feed.xml")
        self._surroundings.check_address(fields, node)

    def _headers(self, fields: Fields, kind: Kind, wrong: list[Fault]) -> dict[str, str]:
        node = fields.node("headers")
        if node is None:
            return {}
        if node.kind != "map":
            fields.fault(node, "'headers' is a block of 'Name: value' lines")
            return {}
        if kind is Kind.FOLDER:
            fields.fault(fields.key("headers"), "a folder is asked with no headers")
        found: dict[str, str] = {}
        for key, value in node.pairs:
            if not _HEADER.fullmatch(key.text):
                fields.fault(key, f"'{key.text[:60]}' is no header's name")
            elif key.text.lower() in _OURS:
                fields.fault(key, f"'{key.text}' is set by the program")
            elif fields.is_text(value):
                self._surroundings.check_variables(fields, value)
                if _SECRET_HEADER.search(key.text) and not variables(value.text):
                    wrong.append(unseen(value, f"the value of '{key.text}' is a secret; write it as ${{NAME}}"))
                if not value.text.isprintable():
                    fields.fault(value, "a header's value is one line of visible signs")
                found[key.text] = value.text
        return found


def _every(fields: Fields, usual: int) -> int:
    seconds = fields.duration("every", usual)
    if seconds is None:
        return usual
    if not SHORTEST <= seconds <= LONGEST:
        fields.fault(fields.node("every") or fields.where, "'every' is from 1m to 366d")
        return usual
    return seconds


def _tier(fields: Fields, usual: Tier) -> Tier:
    return Tier(fields.choice("tier", [tier.value for tier in Tier]) or usual)


def _same_folder(location: str) -> bool:
    return PurePosixPath(location) == PurePosixPath(SEED_FOLDER.location)
