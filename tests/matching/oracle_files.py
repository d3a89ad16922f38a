"""A book of the oracle as the rule files an analyst would write."""

from __future__ import annotations

import json

from tests.matching.oracle import (
    And,
    AtLeast,
    Book,
    Concept,
    Expression,
    Name,
    Near,
    Not,
    Only,
    Or,
    Quote,
    Rule,
    Term,
    Theme,
)


def files_of(book: Book) -> dict[str, str]:
    """The rule files of a book: path below `rules/` -> YAML."""
    files = {f"themes/{theme.id}.yaml": theme_file(theme) for theme in book.themes}
    for name, concepts in book.vocabularies:
        files[f"concepts/{name}.yaml"] = "concepts:\n" + "".join(concept_lines(name, concept) for concept in concepts)
    for theme in book.themes:
        for concept in theme.concepts:
            if concept.names:
                files[list_path(theme.id, concept.name)] = list_file(concept.names)
    return files


def list_path(home: str, concept: str) -> str:
    return f"watchlists/{home}-{concept}.csv"


def list_file(names: tuple[str, ...]) -> str:
    name, *aliases = names
    return f'name,aliases\n"{name}","{"|".join(aliases)}"\n'


def theme_file(theme: Theme) -> str:
    lines = [f"theme: {theme.id}\ntitle: {theme.id}\n"]
    if theme.use:
        lines.append(f"use: [{', '.join(theme.use)}]\n")
    if theme.concepts:
        lines.append("concepts:\n" + "".join(concept_lines(theme.id, concept) for concept in theme.concepts))
    return "".join(lines) + "rules:\n" + "".join(map(rule_lines, theme.rules))


def concept_lines(home: str, concept: Concept) -> str:
    text = f"  {concept.name}:\n"
    for language in dict.fromkeys(term.language for term in concept.terms):
        terms = [term_value(term) for term in concept.terms if term.language == language]
        text += f"    {language or 'terms'}: [{', '.join(terms)}]\n"
    if concept.names:
        text += f"    list: {list_path(home, concept.name)}\n"
    if concept.include:
        text += f"    include: [{', '.join(concept.include)}]\n"
    if concept.exceptions:
        text += f"    except: [{', '.join(map(term_value, concept.exceptions))}]\n"
    return text


def term_value(term: Term) -> str:
    if term.only_in:
        return f"{{term: {quoted(term.text)}, only_in: [{', '.join(term.only_in)}]}}"
    return quoted(term.text)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def rule_lines(rule: Rule) -> str:
    text = f"  - id: {rule.id}\n    when: |\n      {written(rule.when)}\n"
    if rule.unless is not None:
        text += f"    unless: {quoted(written(rule.unless))}\n"
    where = []
    for key in ("languages", "sources", "tags", "domains", "not_domains"):
        if values := getattr(rule.where, key):
            where.append(f"{key}: [{', '.join(values)}]")
    if rule.where.max_age_days is not None:
        where.append(f"max_age: {rule.where.max_age_days}d")
    if rule.where.min_words is not None:
        where.append(f"min_words: {rule.where.min_words}")
    return text + (f"    where: {{{', '.join(where)}}}\n" if where else "")


def written(expression: Expression) -> str:
    """An expression in the language of rules, with every parenthesis that it needs and few that it does not."""
    match expression:
        case Name():
            return expression.concept
        case Quote():
            return f'"{expression.term}"'
        case Not():
            inner = expression.operand
            return "not " + (written(inner) if isinstance(inner, Not) else operand(inner))
        case And():
            bare = (Name, Quote, Near, Not, Only, AtLeast)
            return " and ".join(written(o) if isinstance(o, bare) else f"({written(o)})" for o in expression.operands)
        case Or():
            return " or ".join(map(operand, expression.operands))
        case Near():
            distance = expression.operator if expression.operator in "sp" else str(expression.words)
            verb = "w" if expression.operator in "sp" else expression.operator
            operator = f" {'not ' if expression.negated else ''}{verb}/{distance} "
            return operator.join(map(operand, expression.operands))
        case Only():
            return f"{expression.field}:({written(expression.operand)})"
        case AtLeast():
            name = "distinct" if expression.distinct else "atleast"
            return f"{name}{expression.number}({written(expression.operand)})"


def operand(expression: Expression) -> str:
    text = written(expression)
    return text if isinstance(expression, Name | Quote | Only | AtLeast) else f"({text})"
