"""`rules/themes/<theme>.yaml` as written: everything but the look-up of names."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from monitor.errors import Fault
from monitor.matching.book import Correlation, Example, Rule, Theme, Where
from monitor.matching.expression import Node as Tree
from monitor.matching.hosts import host_name
from monitor.matching.model import Mode, Severity
from monitor.matching.syntax import parse as parse_expression
from monitor.rulebook.concepts import NAME, DraftConcept, read_concepts
from monitor.rulebook.document import Fields, Node
from monitor.rulebook.fields import short
from monitor.rulebook.languages import is_language
from monitor.rulebook.slips import EMPTY_ITEM, not_text

DAY = 86_400
_SEVERITIES = tuple(Severity)


class DraftRule(NamedTuple):
    """A rule whose names are not looked up yet. A rule with a faulty expression is not among them."""

    rule: Rule
    when: Node
    unless: Node | None
    anchor: Node | None


class DraftCorrelation(NamedTuple):
    correlation: Correlation
    concept: Node | None  # the name to look up


class DraftTheme(NamedTuple):
    """A theme whose names are not looked up yet."""

    theme: Theme
    where: Node
    use: tuple[Node, ...]
    concepts: dict[str, DraftConcept]
    rules: tuple[DraftRule, ...]
    correlations: tuple[DraftCorrelation, ...]


def read_theme(node: Node, path: str, stem: str, faults: list[Fault]) -> DraftTheme:
    """The theme of one file."""
    fields = Fields(node, path, faults, "theme")
    theme_id = fields.text("theme", required=True, pattern=NAME) or stem
    title = fields.text("title", required=True) or theme_id
    shown_misses = fields.text("near_misses", "5")
    theme = Theme(
        id=theme_id, title=title, rules=(), scope={},
        description=fields.text("description"), owner=fields.text("owner"), contact=fields.text("contact"),
        severity=_severity(fields) or Severity.MEDIUM,
        mode=Mode(fields.choice("mode", Mode, Mode.LIVE) or Mode.LIVE),
        tags=fields.texts("tags"),
        close_after=fields.duration("close_after", 7 * DAY) or 0,
        rematch=fields.duration("rematch", 14 * DAY) or 0,
        receipt=fields.flag("receipt", True),
        near_misses=None if shown_misses == "off" else fields.integer("near_misses", 5, 0, 100),
        path=path, line=node.line, column=node.column,
    )  # fmt: skip
    use = fields.text_nodes("use")
    concepts = read_concepts(fields, path, f"{theme_id}:", faults)
    rules = _rules(fields, path, faults)
    correlations = _correlations(fields, path, faults)
    examples = _examples(fields, path, faults)
    fields.finish()
    return DraftTheme(replace(theme, examples=examples), node, use, concepts, rules, correlations)


def _severity(fields: Fields) -> Severity | None:
    word = fields.choice("severity", _SEVERITIES)
    return Severity(word) if word else None


def _rules(fields: Fields, path: str, faults: list[Fault]) -> tuple[DraftRule, ...]:
    found: list[DraftRule] = []
    seen: dict[str, int] = {}
    nodes = fields.items("rules")
    if not nodes and fields.where.kind == "map" and not (fields.has("rules") and faults):
        fields.fault(fields.key("rules"), "a theme has at least one rule: - id: …, when: …")
    for node in nodes:
        draft = _rule(node, path, faults)
        if draft is None:
            continue
        if draft.rule.id in seen:
            faults.append(
                node.fault(f"rule '{draft.rule.id}' stands here a second time (first in line {seen[draft.rule.id]})")
            )
        seen.setdefault(draft.rule.id, node.line)
        found.append(draft)
    return tuple(found)


def _rule(node: Node, path: str, faults: list[Fault]) -> DraftRule | None:
    fields = Fields(node, path, faults, "rule")
    rule_id = fields.text("id", required=True, pattern=NAME)
    fields.text("when", required=True)
    when, condition = _expression(fields, "when")
    unless, exception = _expression(fields, "unless")
    severity = _severity(fields)
    where_node = fields.node("where")
    where = _where(where_node, path, faults) if where_node is not None else Where()
    anchor = fields.node("anchor")
    fields.text("anchor")
    fields.finish()
    if rule_id is None or when is None or condition is None or (unless is not None and exception is None):
        return None
    rule = Rule(
        id=rule_id, when=when.text.rstrip(), condition=condition,
        unless=unless.text.rstrip() if unless else None, exception=exception, severity=severity, where=where,
        anchor=anchor.text if anchor and anchor.kind == "text" else None, line=node.line, column=node.column,
    )  # fmt: skip
    return DraftRule(rule, when, unless, anchor)


def _expression(fields: Fields, key: str) -> tuple[Node | None, Tree | None]:
    node = fields.node(key)
    if node is None or node.kind != "text":
        if node is not None and key == "unless":
            fields.text(key)
        return None, None
    tree, wrong = parse_expression(node.text)
    for fault in wrong:
        fields.fault(node, fault.message, fault.offset)
    return node, tree


def _where(node: Node, path: str, faults: list[Fault]) -> Where:
    fields = Fields(node, path, faults, "where")
    where = Where(
        languages=_languages(fields, "languages"), sources=fields.texts("sources"), tags=fields.texts("tags"),
        domains=_domains(fields, "domains"), not_domains=_domains(fields, "not_domains"),
        max_age=fields.duration("max_age"), min_words=fields.integer("min_words", None, 0, 1_000_000),
    )  # fmt: skip
    fields.finish()
    return where


def _languages(fields: Fields, key: str) -> tuple[str, ...]:
    return tuple(node.text for node in fields.text_nodes(key) if _is_language(fields, node))


def _language(fields: Fields, key: str) -> str | None:
    text, node = fields.text(key), fields.node(key)
    return text if text is not None and node is not None and _is_language(fields, node) else None


def _is_language(fields: Fields, node: Node) -> bool:
    known = is_language(node.text.lower())
    if not known:
        fields.fault(node, f"'{short(node.text)}' is no language; wanted: a code such as de or zh")
    return known


def _domains(fields: Fields, key: str) -> tuple[str, ...]:
    found: list[str] = []
    for node in fields.text_nodes(key):
        host = host_name(node.text)
        if host is None:
            fields.fault(
                node, f"'{short(node.text)}' is no domain; wanted: example.org alone, its subdomains are included"
            )
        else:
            found.append(host)
    return tuple(found)


_COUNTED = ("stories", "entries")
_KINDS = ("count", "spike", "first_seen", "absence")


def _correlations(fields: Fields, path: str, faults: list[Fault]) -> tuple[DraftCorrelation, ...]:
    found: dict[str, DraftCorrelation] = {}
    for node in fields.items("correlate"):
        draft = _correlation(node, path, faults)
        if draft is not None and found.setdefault(draft.correlation.id, draft) is not draft:
            faults.append(node.fault(f"correlation '{draft.correlation.id}' stands here a second time"))
    return tuple(found.values())


def _correlation(node: Node, path: str, faults: list[Fault]) -> DraftCorrelation | None:
    fields = Fields(node, path, faults, "correlation")
    name = fields.text("id", required=True, pattern=NAME)
    kinds = [kind for kind in _KINDS if fields.has(kind)]
    of: str | None = None
    for kind in kinds:
        of = fields.text(kind) if kind == "first_seen" else fields.choice(kind, _COUNTED)
    if len(kinds) != 1:
        fields.fault(node, f"a correlation has one of {', '.join(_KINDS)}")
    kind = kinds[0] if kinds else ""
    needed = {"count": ("at_least", "within"), "spike": ("factor", "over", "at_least"), "absence": ("within",)}
    for key in needed.get(kind, ()):
        if not fields.has(key):
            fields.fault(node, f"this correlation has no '{key}'")
    within, over = fields.duration("within"), fields.duration("over")
    for key in (key for key, seconds in (("within", within), ("over", over)) if seconds == 0):
        fields.fault(fields.key(key), f"'{key}' is 0, in which nothing happens; wanted: a time such as 24h")
    correlation = Correlation(
        id=name or "", kind=kind, of=of or "", at_least=fields.integer("at_least", None, 1),
        within=within, factor=fields.integer("factor", None, 2), over=over,
        severity=_severity(fields),
    )  # fmt: skip
    fields.finish()
    if name is None or of is None or len(kinds) != 1:
        return None
    return DraftCorrelation(correlation, fields.node(kind) if kind == "first_seen" else None)


def _examples(fields: Fields, path: str, faults: list[Fault]) -> tuple[Example, ...]:
    node = fields.node("examples")
    if node is None:
        return ()
    inner = Fields(node, path, faults, "examples")
    found = [_example(item, path, True, faults) for item in inner.items("match")]
    found += [_example(item, path, False, faults) for item in inner.items("no_match")]
    inner.finish()
    return tuple(example for example in found if example is not None)


_EXAMPLE_KEYS = ("title", "text", "lang", "url", "author", "source", "tags", "rule", "near_miss")


def _example(node: Node, path: str, expected: bool, faults: list[Fault]) -> Example | None:
    if node.kind == "text" and not node.empty:
        return Example(text=node.text, expected=expected, line=node.line, column=node.column)
    if node.kind != "map" or not any(key.text in _EXAMPLE_KEYS for key, _ in node.pairs):
        faults.append(node.fault(EMPTY_ITEM if node.empty else not_text(node)))
        return None
    fields = Fields(node, path, faults, "example")
    title, text = fields.text("title", ""), fields.text("text", "")
    if not (title or text):
        fields.fault(node, "an example has a title or a text")
    example = Example(
        title=title or "", text=text or "", language=_language(fields, "lang"), url=fields.text("url"),
        author=fields.text("author"), source=fields.text("source"),
        tags=fields.texts("tags") if fields.has("tags") else None, rule=fields.text("rule"),
        near_miss=fields.flag("near_miss"), expected=expected, line=node.line, column=node.column,
    )  # fmt: skip
    if example.near_miss and expected:
        fields.fault(fields.key("near_miss"), "a near miss is no match; it stands under no_match")
    fields.finish()
    return example
