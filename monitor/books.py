"""What is in force: rules, receivers, sources. Reads and checks the files, adopts what is sound, keeps the rest."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from monitor import __version__
from monitor.core import views
from monitor.core.entries import Kind, Source, Tier
from monitor.core.routing import DEFAULT_RECEIVERS, Configuration, ReceiverBook
from monitor.errors import ConfigurationError, Fault
from monitor.matching.book import RuleBook
from monitor.matching.engine import Engine, compile_book, compile_with_needles
from monitor.matching.explain import run_examples
from monitor.pipeline import adopt
from monitor.ports import EventStore
from monitor.receivers.render import TEMPLATE_VERSION
from monitor.rulebook.kept import Cache, load_rules
from monitor.rulebook.receivers import load_receivers
from monitor.rulebook.sources import load_sources
from monitor.rulebook.themes import read_rule_files, revision_of
from monitor.rulebook.written import ANYWHERE, Surroundings
from monitor.settings import Settings
from monitor.sources.addresses import Networks, parse_networks, written_refusal

if TYPE_CHECKING:
    from monitor.receivers.email import SmtpServer

RECEIVERS_FILE = "rules/receivers.yaml"
SOURCES_FILE = "seeds/sources.yaml"
SEED_FOLDER = Source(id="seed-documents", kind=Kind.FOLDER, location="documents/")
"""What is watched where there is no `sources.yaml`."""


Stamp = tuple[str, int, int]
"""A file's path, its time of change in nanoseconds, its size."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a look at the files led to. `faults` are those found now; `adopted` says in words what is newly in force.

    `engine` is the compiled rule book of `revision` where rules were adopted.
    """

    adopted: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    revision: str = ""
    engine: Engine | None = None


@dataclass
class Books:
    """Rules, receivers and sources in force, read from files and held to the log. Methods block."""

    settings: Settings
    store: EventStore
    rules: RuleBook | None = None
    receivers: ReceiverBook = DEFAULT_RECEIVERS
    sources: tuple[Source, ...] = (SEED_FOLDER,)
    known_variables: Collection[str] | None = None  # names that `${NAME}` may stand for; None: not asked
    _looked_at: tuple[Stamp, ...] = ()
    _engine: Engine | None = None

    def start(self) -> Reloaded:
        """The first look. Where files are faulty, what the log last adopted is in force.

        Raises `ConfigurationError` where the rules are faulty and the log holds none.
        """
        configuration = self.store.get(views.CONFIGURATION, views.CURRENT)
        if configuration is not None and configuration.position:
            zone = self.settings.time_zone
            self.receivers = _receivers_of(configuration.files, None, zone)[0] or DEFAULT_RECEIVERS
            # Adopted text may hold sources that were faulty on this machine, and so were never watched.
            watched = {row.id for row in self.store.rows(views.SOURCES) if row.state != "removed"}
            self.sources = tuple(one for one in _load_sources(configuration.files)[0] if one.id in watched)
        reloaded = self.reload()
        if self.rules is None:
            raise ConfigurationError("the rules are faulty and the log holds none to go on with", reloaded.faults)
        return reloaded

    def stale(self) -> bool:
        """Whether a file was changed since the last look. A watcher tells sooner, but not of what came before it
        watched, nor on every kind of disk.
        """
        return self._looked_at != _stamps(self.settings.home)

    def reload(self) -> Reloaded:
        """Look at the files again; adopt them, or refuse them and keep what is in force."""
        looking_at = _stamps(self.settings.home)
        rules = self._reload_rules()
        configuration = self._reload_configuration()
        self._looked_at = looking_at  # only now: where the store refused, `stale` asks for another look
        return Reloaded(
            adopted=rules.adopted + configuration.adopted,
            faults=rules.faults + configuration.faults,
            revision=rules.revision,
            engine=rules.engine,
        )

    def _reload_rules(self) -> Reloaded:
        files, faults = read_rule_files(self.settings.rules)
        engine, faults = self._compiled(files, faults)
        event = adopt.adopt_rules(self.store, files, faults)
        current = self.store.get(views.RULE_BOOK, views.CURRENT)
        if faults or engine is None:
            if self.rules is None and current is not None and current.position:
                self.rules, _ = load_rules(current.files)
            return Reloaded(faults=tuple(faults))
        self.rules, self._engine = engine.book, engine
        assert current is not None, "sound rules are in force"
        said = (f"rules: revision {current.revision}",) if event is not None else ()
        return Reloaded(adopted=said, revision=current.revision, engine=engine)

    def _compiled(self, files: Mapping[str, str], unread: list[Fault]) -> tuple[Engine | None, list[Fault]]:
        """The engine of sound files whose examples pass, or every fault."""
        try:
            return self._compile(files, unread)
        except Exception as error:  # a defect of this program must not end a daemon that has a book to go on with
            import structlog  # `monitor check` reads this module too, and needs no log

            structlog.get_logger().exception("rules could not be compiled")
            message = f"not compiled ({type(error).__name__}: {error}): a defect of this program, which please report"
            return None, [*unread, Fault("rules/", 0, 0, message)]

    def _compile(self, files: Mapping[str, str], unread: list[Fault]) -> tuple[Engine | None, list[Fault]]:
        cache = Cache(self.settings.state / "cache")
        if not unread:
            if self._engine is not None and self._engine.revision == revision_of(files):
                return self._engine, []
            engine = cache.engine(files)
            if engine is not None:
                return engine, []
        book, faults = load_rules(files)
        if book is None or unread:
            return None, [*unread, *faults]
        engine, needles = compile_with_needles(book)
        faults = run_examples(engine)
        if faults:
            return None, faults
        cache.keep(files, engine, needles)
        return engine, []

    def _reload_configuration(self) -> Reloaded:
        on_disk, faults = _read_texts(self.settings.home)
        current = self.store.get(views.CONFIGURATION, views.CURRENT)
        in_force = dict(current.files) if current else {}
        faults += _vanished(in_force, on_disk)
        unread = {fault.path for fault in faults}
        around = surroundings(self.settings, self.known_variables)
        receivers, wrong = _receivers_of(on_disk, self.rules, self.settings.time_zone, around)
        if receivers is not None and RECEIVERS_FILE not in unread:
            self.receivers = receivers
            _take(in_force, on_disk, RECEIVERS_FILE)
        sources, odd = _load_sources(on_disk, around)
        if (sources or not odd) and SOURCES_FILE not in unread:
            self.sources = _keep_faulty(sources, self.sources) if odd else sources
            if not odd:  # else a restart would know the faulty source no more
                _take(in_force, on_disk, SOURCES_FILE)
        faults = [*faults, *wrong, *odd]
        adopted = adopt.adopt_configuration(self.store, in_force, on_disk, self.settings.recorded(), versions(), faults)
        adopt.adopt_receivers(self.store, [receiver.name for receiver in self.receivers.receivers])
        said = ("receivers, sources and settings",) if adopted else ()
        return Reloaded(adopted=said, faults=tuple(faults))


def _receivers_of(
    texts: Mapping[str, str], rules: RuleBook | None, time_zone: str, around: Surroundings = ANYWHERE
) -> tuple[ReceiverBook | None, list[Fault]]:
    text = texts.get(RECEIVERS_FILE)
    if text is None:
        return DEFAULT_RECEIVERS, []
    themes = rules.themes if rules else ()
    book, faults = load_receivers(
        RECEIVERS_FILE,
        text,
        themes={theme.id for theme in themes} if rules else None,
        tags={tag for theme in themes for tag in theme.tags} if rules else None,
        time_zone=time_zone,
        surroundings=around,
    )
    return (None if faults else book), faults


def compile_files(files: Mapping[str, str]) -> Engine:
    """Adopted rule files to an engine. They were sound when they were adopted."""
    return compile_book(_adopted_book(files, "nothing was matched"))


def load_book(row: views.BookRow) -> RuleBook:
    """Adopted rule files to the book they are. They were sound when they were adopted."""
    return _adopted_book(row.files, f"revision {row.revision} cannot be compared")


def _adopted_book(files: Mapping[str, str], then: str) -> RuleBook:
    book, faults = load_rules(files)
    if book is None:
        raise ConfigurationError(f"rules that the log adopted are faulty to this version; {then}", tuple(faults))
    return book


def configure(rules: views.BookRow | None, configuration: views.BookRow | None) -> Configuration:
    """What adopted texts mean: receivers, routes, and the themes with their tags."""
    book = load_rules(rules.files)[0] if rules else None
    texts = configuration.files if configuration else {}
    time_zone = configuration.settings.get("time_zone", "UTC") if configuration else "UTC"
    return Configuration(
        book=_receivers_of(texts, None, time_zone)[0] or DEFAULT_RECEIVERS,
        themes={theme.id: theme.tags for theme in book.themes} if book else {},
        close_after={theme.id: timedelta(seconds=theme.close_after) for theme in book.themes} if book else {},
        rules_revision=rules.revision if rules else "",
        revision=configuration.revision if configuration else "",
        time_zone=time_zone,
        official=frozenset(source.id for source in _load_sources(texts)[0] if source.tier is Tier.OFFICIAL),
    )


def unrouted(store: EventStore) -> int:
    """How many open alerts no route in force takes; they went to the operator."""
    texts = store.get(views.CONFIGURATION, views.CURRENT)
    receivers = _receivers_of(texts.files if texts else {}, None, "UTC")[0] or DEFAULT_RECEIVERS
    if any(route.takes_all for route in receivers.routes):
        return 0  # by far the commonest, and no rule book need be read for it
    configuration = configure(store.get(views.RULE_BOOK, views.CURRENT), texts)
    alerts = (store.get(views.ALERTS, row.alert_id) for row in store.rows(views.OPEN_ALERTS, facet="open"))
    return sum(
        not configuration.book.route(alert.theme, configuration.themes.get(alert.theme, ()), alert.severity)
        for alert in alerts
        if alert is not None
    )


def versions() -> dict[str, str]:
    """The versions that shape a digest's bytes."""
    return {"monitor": __version__, "template": TEMPLATE_VERSION, "tzdata": version("tzdata")}


def surroundings(settings: Settings, known_variables: Collection[str] | None) -> Surroundings:
    """What written variables and addresses are judged by. With a proxy it is the proxy that judges addresses."""
    networks, _ = parse_networks(settings.allow_networks)
    refuse = None if settings.proxy else partial(written_refusal, networks=networks)
    return Surroundings(known_variables, refuse)


def parsed(settings: Settings) -> tuple[Networks, SmtpServer | None]:
    """Settings that are texts of their own, read. Raises `ConfigurationError` with every fault."""
    networks, wrong = parse_networks(settings.allow_networks)
    faults = [Fault(settings.origin("allow_networks"), 0, 0, error) for error in wrong]
    smtp = None
    if settings.smtp_url:
        from monitor.receivers.email import parse_smtp_url

        try:
            smtp = parse_smtp_url(settings.smtp_url)
        except ValueError as error:
            faults.append(Fault(settings.origin("smtp_url"), 0, 0, str(error)))
    if faults:
        raise ConfigurationError("settings are at fault; nothing was started", tuple(faults))
    return networks, smtp


def _load_sources(texts: Mapping[str, str], around: Surroundings = ANYWHERE) -> tuple[tuple[Source, ...], list[Fault]]:
    text = texts.get(SOURCES_FILE)
    return ((SEED_FOLDER,), []) if text is None else load_sources(SOURCES_FILE, text, around)


def _keep_faulty(sound: tuple[Source, ...], before: tuple[Source, ...]) -> tuple[Source, ...]:
    """A source whose lines are faulty now goes on as it was: an edit's slip must not count as removing it."""
    known = {source.id for source in sound}
    return (*sound, *(source for source in before if source.id not in known))


def _read_texts(home: Path) -> tuple[dict[str, str], list[Fault]]:
    texts: dict[str, str] = {}
    faults: list[Fault] = []
    for name in (RECEIVERS_FILE, SOURCES_FILE):
        try:
            texts[name] = (home / name).read_text("utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            faults.append(Fault(name, 0, 0, f"cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8'})"))
    return texts, faults


def _vanished(in_force: Mapping[str, str], on_disk: Mapping[str, str]) -> list[Fault]:
    """Files that were in force and now are not there, or empty, as they are for a moment while an editor or git writes
    them: no reason to forget all receivers, and what waits for them.
    """
    return [
        Fault(name, 0, 0, f"{state}; what it said stays in force (to go without it, leave a comment in it)")
        for name in (RECEIVERS_FILE, SOURCES_FILE)
        if in_force.get(name, "").strip() and not on_disk.get(name, "").strip()
        for state in ("is empty" if name in on_disk else "is gone",)
    ]


def _stamps(home: Path) -> tuple[Stamp, ...]:
    """Of all that lies in `rules/` and its folders, and of the sources."""
    found, folders = _stamps_in(home / "rules")
    for folder in folders:
        found += _stamps_in(folder)[0]
    with contextlib.suppress(OSError):
        found.append(_stamp(SOURCES_FILE, (home / SOURCES_FILE).stat()))
    return tuple(sorted(found))


def _stamps_in(folder: Path) -> tuple[list[Stamp], list[Path]]:
    stamps: list[Stamp] = []
    folders: list[Path] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                stamps.append(_stamp(entry.path, entry.stat()))
                if entry.is_dir():
                    folders.append(Path(entry.path))
    return stamps, folders


def _stamp(path: str, found: os.stat_result) -> Stamp:
    return path, found.st_mtime_ns, found.st_size


def _take(in_force: dict[str, str], on_disk: Mapping[str, str], name: str) -> None:
    if name in on_disk:
        in_force[name] = on_disk[name]
    else:
        in_force.pop(name, None)
