"""What an edit of the rule files changed of a theme: concepts by their terms, rules by their expressions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec

from monitor.matching.book import Concept, Example, Rule, RuleBook, Term, Theme, Where
from monitor.matching.expression import Ref, leaves


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is otherwise than before. `about`: `concept supplies`, `rule goods, when`, `severity`; what it no
    longer has, and what it has now. A thing that came or went whole says so in `about`.
    """

    about: str
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


def edited_themes(old: RuleBook, new: RuleBook, paths: Collection[str]) -> dict[str, tuple[Edit, ...]]:
    """Theme id -> what changed, for every theme that is not in both books with the same meaning, in order of id.

    `paths` (relative to `rules/`): the files whose text changed; themes that depend on none of them are not looked at.
    Comments, order and line breaks are no change. A theme that came or went has no edits.
    """
    before, after = ({theme.id: theme for theme in book.themes} for book in (old, new))
    found: dict[str, tuple[Edit, ...]] = {}
    for theme_id in sorted(before.keys() | after.keys()):
        was, now = before.get(theme_id), after.get(theme_id)
        if was is None or now is None:
            found[theme_id] = ()
        elif not (files_of(old, was) | files_of(new, now)).isdisjoint(paths):
            edits = tuple(_edits(old, was, new, now))
            if edits:
                found[theme_id] = edits
    return found


def files_of(book: RuleBook, theme: Theme) -> frozenset[str]:
    """The rule files, relative to `rules/`, on which it depends what a theme finds."""
    concepts = _reached(book, theme).values()
    paths = {theme.path, *(concept.path for concept in concepts)}
    lists = {concept.watchlist for concept in concepts if concept.watchlist}
    return frozenset({path.removeprefix("rules/") for path in paths} | lists)


def _reached(book: RuleBook, theme: Theme) -> dict[str, Concept]:
    """Key -> concept, for each that a rule of the theme names or that one of these includes."""
    waiting = [theme.scope[name] for name in _named(theme)]
    reached: dict[str, Concept] = {}
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached[key] = book.concepts[key]
            waiting += book.concepts[key].include
    return reached


def _named(theme: Theme) -> list[str]:
    """The concepts that the theme's rules name, as they write them, in order."""
    trees = [tree for rule in theme.rules for tree in (rule.condition, rule.exception) if tree is not None]
    return [leaf.name for tree in trees for leaf in leaves(tree) if isinstance(leaf, Ref)]


def _edits(old: RuleBook, was: Theme, new: RuleBook, now: Theme) -> Iterator[Edit]:
    yield from _rules(was, now)
    yield from _concepts(_reached(old, was), _reached(new, now), old, new)
    for name in ("title", "description", "owner", "contact", "severity", "mode", "close_after", "rematch",
                 "receipt", "near_misses"):  # fmt: skip
        yield from _turned(name.replace("_", " "), getattr(was, name), getattr(now, name))
    yield from _listed("tags", was.tags, now.tags)
    yield from _listed("correlate", map(_plain, was.correlations), map(_plain, now.correlations))
    yield from _listed("examples", map(_example, was.examples), map(_example, now.examples))


def _rules(was: Theme, now: Theme) -> Iterator[Edit]:
    before, after = ({rule.id: rule for rule in theme.rules} for theme in (was, now))
    for name in sorted({*_named(was)} & {*_named(now)}):
        yield from _turned(f"concept {name}", _shown(was.scope[name]), _shown(now.scope[name]))
    for rule_id in [*before, *(name for name in after if name not in before)]:
        one, other = before.get(rule_id), after.get(rule_id)
        if one is None or other is None:
            yield from _turned(f"rule {rule_id}", one.when if one else None, other.when if other else None)
            continue
        for name in ("when", "unless", "severity", "anchor"):
            yield from _turned(f"rule {rule_id}, {name}", getattr(one, name), getattr(other, name))
        yield from _listed(f"rule {rule_id}, where", _where(one), _where(other))


def _concepts(before: dict[str, Concept], after: dict[str, Concept], old: RuleBook, new: RuleBook) -> Iterator[Edit]:
    for key in [*before, *(key for key in after if key not in before)]:
        # One that is there as it was, and only no longer asked for, is told of where it was asked for.
        was, now = old.concepts.get(key), new.concepts.get(key)
        shown = f"concept {_shown(key)}"
        for suffix, name in (("", "terms"), (", except", "exceptions")):
            one, other = (getattr(concept, name) if concept else () for concept in (was, now))
            yield from _terms(shown + suffix, one, other)
        yield from _listed(f"{shown}, include", was.include if was else (), now.include if now else ())


def _shown(key: str) -> str:
    return key if "." in key else key.rpartition(":")[2]


def _terms(about: str, one: Iterable[Term], other: Iterable[Term]) -> Iterator[Edit]:
    """Terms that went or came; under which language one is written, and where, is no matter."""
    before, after = ({(term.text, term.only_in, term.name): term for term in terms} for terms in (one, other))
    removed = tuple(_term(term) for key, term in before.items() if key not in after)
    added = tuple(_term(term) for key, term in after.items() if key not in before)
    if removed or added:
        yield Edit(about=about, removed=removed, added=added)


def _turned(about: str, one: object, other: object) -> Iterator[Edit]:
    before, after = _plain(one), _plain(other)
    if before != after:
        yield Edit(about=about, removed=(before,) if before else (), added=(after,) if after else ())


def _listed(about: str, one: Iterable[str], other: Iterable[str]) -> Iterator[Edit]:
    before, after = dict.fromkeys(one), dict.fromkeys(other)
    removed = tuple(text for text in before if text not in after)
    added = tuple(text for text in after if text not in before)
    if removed or added:
        yield Edit(about=about, removed=removed, added=added)


def _term(term: Term) -> str:
    return f"{term.text} (only in {', '.join(term.only_in)})" if term.only_in else term.text


def _where(rule: Rule) -> Iterator[str]:
    for name in Where.__struct_fields__:
        value = getattr(rule.where, name)
        if value not in ((), None):
            yield f"{name}: {', '.join(value) if isinstance(value, tuple) else value}"


def _example(example: Example) -> str:
    kind = "near miss" if example.near_miss else "match" if example.expected else "no match"
    return f"{kind}: {_plain(f'{example.title} {example.text}')}"


def _plain(value: object) -> str:
    """A value on one line; empty where there is none."""
    return "" if value is None else " ".join(str(value).split())
