"""`rules/receivers.yaml`: receivers, routes and the operator, with every fault at its line and column."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from functools import partial

from monitor.core.routing import (
    DEFAULT_OUTBOX,
    DEFAULT_RECEIVERS,
    OUTBOX_PATH,
    REPEAT_MAX,
    CatchUp,
    Email,
    OnUnknown,
    Outbox,
    Receiver,
    ReceiverBook,
    Route,
    Webhook,
)
from monitor.core.schedule import Immediate
from monitor.errors import Fault
from monitor.matching.book import Theme
from monitor.matching.model import Mode, Severity
from monitor.rulebook.document import Fields, Node, did_you_mean, parse
from monitor.rulebook.schedules import bounded, listed, only, read_quiet_hours, read_schedule, short
from monitor.rulebook.targets import read_target
from monitor.rulebook.written import ANYWHERE, Surroundings, veiled

NAME = r"[a-z0-9][a-z0-9-]{0,62}"
LONGEST_WAIT = 86_400
SHORTEST_REPEAT, LONGEST_REPEAT = 60, 31 * 86_400
MOST_REPEATS = 1000

_LATER = {
    "apprise": "chat by apprise",
    "feed": "a feed of alerts",
    "exec": "a command",
}


def load_receivers(
    path: str,
    text: str,
    *,
    themes: Collection[str] | None,
    tags: Collection[str] | None,
    time_zone: str = "UTC",
    surroundings: Surroundings = ANYWHERE,
) -> tuple[ReceiverBook | None, list[Fault]]:
    """The book, or None and every fault.

    `themes`, `tags`: those of the rule book in force, for routes; None: not asked for, as of a text adopted when other
    rules were in force. `time_zone`: for schedules that name none. A file that holds only comments is as none.
    """
    if all(not line.strip() or line.lstrip().startswith("#") for line in text.lstrip("\ufeff").splitlines()):
        return DEFAULT_RECEIVERS, []
    faults: list[Fault] = []
    root = parse(path, text, faults)
    if root is None:
        return None, faults
    book = _Loader(path, faults, themes, tags, time_zone, surroundings).book(root)
    return (None if faults else book), veiled(faults)


def lint_receivers(path: str, book: ReceiverBook, themes: Iterable[Theme] = (), *, mails: bool = True) -> list[Fault]:
    """What is legal but poor, also of `themes` in view of this book. `mails`: whether `smtp_url` is set."""
    found = [Fault(path, 0, 0, message) for message in _poor(book, mails)]
    for theme in themes:
        if theme.mode is not Mode.OFF:
            found += [Fault(theme.path, theme.line, theme.column, message) for message in _unheard(theme, book)]
    return found


def _poor(book: ReceiverBook, mails: bool) -> Iterator[str]:
    reached = {name for route in book.routes for name in route.to} | set(book.operator)
    for receiver in book.receivers:
        who = f"receiver '{receiver.name}'"
        if isinstance(receiver.target, Webhook) and receiver.target.secret is None:
            yield f"{who} has no secret: its peer cannot tell our messages from forged ones"
        if isinstance(receiver.target, Email) and not mails:
            yield f"{who} is to get mail, but smtp_url is not set: nothing can be sent to it"
        if receiver.name not in reached:
            yield f"no route leads to {who}, so it gets nothing"
    others = any(not isinstance(receiver.target, Outbox) for receiver in book.receivers)
    if others and all(_is_outbox(book, name) for name in book.operator):
        yield f"no 'operator' is named: faults, and alerts that no route takes, are told to {OUTBOX_PATH} alone"


def _is_outbox(book: ReceiverBook, name: str) -> bool:
    receiver = book.receiver(name)
    return receiver is not None and isinstance(receiver.target, Outbox)


def _unheard(theme: Theme, book: ReceiverBook) -> Iterator[str]:
    if theme.owner is not None and book.receiver(theme.owner) is None:
        yield f"the owner of theme '{theme.id}', '{short(theme.owner)}', is no receiver; the operator is told instead"
    if theme.mode is Mode.LIVE and not book.route(theme.id, theme.tags, Severity.CRITICAL):
        yield f"no route takes alerts of theme '{theme.id}'; they go to the operator"


class _Loader:
    def __init__(
        self,
        path: str,
        faults: list[Fault],
        themes: Collection[str] | None,
        tags: Collection[str] | None,
        time_zone: str,
        surroundings: Surroundings,
    ) -> None:
        self._path, self._faults, self._surroundings = path, faults, surroundings
        self._themes, self._tags, self._zone = themes, tags, time_zone
        self._fields = partial(Fields, path=path, faults=faults)

    def book(self, root: Node) -> ReceiverBook:
        fields = self._fields(root, what="receivers file")
        receivers = self._receivers(fields)
        known = [receiver.name for receiver in receivers]
        outbox = next((one for one in receivers if one.target == Outbox(OUTBOX_PATH)), None)
        if outbox is None:
            outbox = DEFAULT_OUTBOX
            if outbox.name in known:
                message = f"the name '{outbox.name}' is that of {OUTBOX_PATH}; give this receiver another"
                fields.fault(self._name_node(fields, outbox.name), message)
            else:
                receivers.append(outbox)
                known.append(outbox.name)
        operator = [node.text for node in self._names(fields, "operator", known, "receiver")]
        routes = self._routes(fields, known)
        fields.finish()
        return ReceiverBook(
            operator=tuple(dict.fromkeys([*operator, outbox.name])), receivers=tuple(receivers), routes=routes
        )

    # --- receivers

    def _receivers(self, fields: Fields) -> list[Receiver]:
        node = fields.node("receivers")
        if node is None:
            return []
        if node.kind != "map":
            fields.fault(node, "'receivers' is a block of 'name:' lines, each with what it is below")
            return []
        found = []
        for key, value in node.pairs:
            if re.fullmatch(NAME, key.text):
                found.append(self._receiver(key.text, value))
            else:
                fields.fault(key, f"'{key.text}' is no name; wanted: lower-case letters, digits and '-'")
        return found

    def _receiver(self, name: str, node: Node) -> Receiver:
        fields = self._fields(node, what=f"receiver '{name}'")
        target = read_target(fields, name, self._faults, self._surroundings)
        schedule = read_schedule(fields, self._faults, self._zone)
        immediate = isinstance(schedule, Immediate)
        wait = only(fields, "group_wait", immediate, "gathers for immediate receivers; this one has a schedule")
        usual = 0 if isinstance(target, Outbox) else 60
        group_wait = bounded(fields, "group_wait", usual, 0, LONGEST_WAIT) if wait else usual
        ticks = "is for receivers with a schedule; this one is immediate"
        always = fields.flag("always") if only(fields, "always", not immediate, ticks) else False
        catch_up = None
        if only(fields, "catch_up", not immediate, ticks):
            catch_up = fields.choice("catch_up", tuple(CatchUp), CatchUp.ONE)
        quiet = read_quiet_hours(fields, self._faults, self._zone, schedule)
        repeats = fields.has("repeat")
        repeat = bounded(fields, "repeat", 0, SHORTEST_REPEAT, LONGEST_REPEAT) if repeats else 0
        repeat_max = None
        if only(fields, "repeat_max", repeats, "says how often at most; there is no 'repeat'"):
            repeat_max = fields.integer("repeat_max", REPEAT_MAX, 1, MOST_REPEATS)
        on_unknown = fields.choice("on_unknown", OnUnknown, OnUnknown.RESEND)
        self._refuse_later_keys(fields)
        fields.finish()
        return Receiver(
            name=name,
            target=target,
            schedule=schedule,
            group_wait=timedelta(seconds=group_wait),
            always=always,
            on_unknown=OnUnknown(on_unknown or OnUnknown.RESEND),
            catch_up=CatchUp(catch_up or CatchUp.ONE),
            quiet=quiet,
            repeat=timedelta(seconds=repeat) if repeat else None,
            repeat_max=repeat_max or REPEAT_MAX,
        )

    # --- routes

    def _routes(self, fields: Fields, known: Collection[str]) -> tuple[Route, ...]:
        found: list[Route] = []
        takes_all: Node | None = None
        nodes = fields.items("routes")
        if not nodes and fields.where.kind == "map":
            fields.fault(fields.key("routes"), "there are no routes; alerts would reach the operator alone")
        for node in nodes:
            if takes_all is not None:
                fields.fault(node, f"never reached: the route in line {takes_all.line} takes everything and stops")
            route = self._route(node, known)
            found.append(route)
            if route.stop and route.takes_all:
                takes_all = takes_all or node
        return tuple(found)

    def _route(self, node: Node, known: Collection[str]) -> Route:
        fields = self._fields(node, what="route")
        themes = self._names(fields, "themes", self._themes, "theme")
        tags = self._names(fields, "tags", self._tags, "tag of a theme")
        at_least = fields.choice("at_least", tuple(Severity), Severity.INFO)
        to = self._names(fields, "to", known, "receiver", "this route has no 'to': the receivers it leads to")
        stop = fields.flag("stop")
        fields.finish()
        return Route(
            to=_texts(to),
            themes=_texts(themes),
            tags=_texts(tags),
            at_least=Severity(at_least or Severity.INFO),
            stop=stop,
        )

    def _names(
        self, fields: Fields, key: str, known: Collection[str] | None, what: str, missing: str = ""
    ) -> list[Node]:
        """Nodes that name one of the known things."""
        found = []
        for node in listed(fields, key, missing):
            if known is None or node.text in known:
                found.append(node)
            else:
                hint = did_you_mean(node.text, known) or (f"; known: {', '.join(sorted(known)[:8])}" if known else "")
                fields.fault(node, f"unknown {what} '{short(node.text)}'{hint}")
        return found

    def _refuse_later_keys(self, fields: Fields) -> None:
        for key, what in _LATER.items():
            if fields.has(key):
                fields.fault(fields.key(key), f"'{key}': {what} is not supported yet")
                fields.node(key)

    def _name_node(self, fields: Fields, name: str) -> Node:
        node = fields.node("receivers")
        assert node is not None, "a receiver stands in it"
        return next(key for key, _ in node.pairs if key.text == name)


def _texts(nodes: Collection[Node]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(node.text for node in nodes))
