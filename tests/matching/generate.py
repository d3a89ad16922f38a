"""Rule books and documents for the oracle: hypothesis strategies, and the rendering of a book to rule files.

Texts are built from the book's own terms, whole and spoilt, so that hits, near misses and overlaps are frequent.
Sentences end without doubt: a filler word, a stop, a space, a capital. Where sentences end in doubtful text is a
question for examples, not for the oracle.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from monitor.matching.model import Document
from tests.matching.oracle_letters import script_of
from tests.matching.oracle_rules import (
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
    Where,
)

# -------------------------------------------------------------------------------------------------------- rendering


def files_of(book: Book) -> dict[str, str]:
    """The rule files of a book: path below `rules/` -> YAML."""
    files = {f"themes/{theme.id}.yaml": theme_file(theme) for theme in book.themes}
    for name, concepts in book.vocabularies:
        files[f"concepts/{name}.yaml"] = "concepts:\n" + "".join(map(concept_lines, concepts))
    return files


def theme_file(theme: Theme) -> str:
    lines = [f"theme: {theme.id}\ntitle: {theme.id}\n"]
    if theme.use:
        lines.append(f"use: [{', '.join(theme.use)}]\n")
    if theme.concepts:
        lines.append("concepts:\n" + "".join(map(concept_lines, theme.concepts)))
    return "".join(lines) + "rules:\n" + "".join(map(rule_lines, theme.rules))


def concept_lines(concept: Concept) -> str:
    text = f"  {concept.name}:\n"
    for language in dict.fromkeys(term.language for term in concept.terms):
        terms = [term_value(term) for term in concept.terms if term.language == language]
        text += f"    {language or 'terms'}: [{', '.join(terms)}]\n"
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
            return "not " + operand(expression.operand)
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


# --------------------------------------------------------------------------------------------------------- scripts


@dataclass(frozen=True)
class Script:
    """What is drawn for one script. `spoils`: put before or after a word, or marks put into it.

    `opening`, `closing`: words that begin and end its sentences beyond doubt; `stop`: what ends them, if anything.
    """

    name: str
    language: str
    terms: tuple[str, ...]
    words: tuple[str, ...]
    alphabet: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    opening: str = ""
    closing: str = ""
    stop: str = ". "
    spaced: bool = True


SCRIPTS = (
    Script(
        "latin", "en",
        ("China", "mac", "machine tool*", "dual-use", "semiconductor*", "*halbleiter", "wom?n", "CNC", "M14", "=US",
         "=IT", "AT&T", "C++", "U.S.", "Straße", "Strasse", "office", "café", "people's", "China Telecom", "suppl*",
         "*leit*", "re-export*", "CNC机床", "/HS ?8[45]\\d\\d/", "/Mk[12]/="),
        ("machine", "us", "US", "it", "HS 8542", "HS8499", "HS 85421", "Mk1", "MK2", "tool", "china", "chine", "3M14",
         "Leistungshalbleiter", "strasse", "cafe", "peoples", "use", "C", "Cafés", "İT", "ıt", "ﬀ"),
        "aaabäáo", ("3", "x", "l'", "ß"), ("'s", "s", "3", "x", "-made", "’s"), ("\u0301", "\u0308"),
        "Then", "today",
    ),
    Script(
        "cyrillic", "ru",
        ("войны", "воины", "Китай*", "Кита?", "поставк*", "ёлка", "елка", "замок", "Їжа", "Т-90", "мой мир", "=Мир",
         "м'ята"),
        ("война", "войн", "иже", "мир", "Мир", "Китаю", "Т90", "поставки", "мята", "ќај", "кај"),
        "аайиёеії", ("3", "пре", "и"), ("3", "у", "и"), ("\u0301", "\u0306", "\u0308"), "Затем", "сегодня",
    ),
    Script(
        "greek", "el",
        ("Κίνα", "οδός", "τσιπ*", "*μηχανή", "μηχαν?"),
        ("κινα", "ΟΔΟΣ", "ΚΊΝΑ", "μηχανή", "τσιπάκι"),
        "αάσςο", ("3", "α"), ("ς", "σ", "3"), ("\u0301", "\u0308"), "Τότε", "σήμερα",
    ),
    Script(
        "han", "zh",
        ("中国", "芯片", "半导体", "机床", "中", "国", "国中", "出口", "中国 芯片", "M14导弹"),
        ("中", "国", "用", "和", "芯", "片", "中国芯片出口", "華", "导弹"),
        "中国和", ("用", "3"), ("人", "3"), (), "", "", "。", False,
    ),
    Script(
        "kana", "ja",
        ("チップ", "カメラ", "がん", "かん", "きかい", "半導体チップ", "ドローン"),
        ("カメラマン", "ハ", "か", "か\u3099ん", "の", "は", "ー", "ハ\u309aン"),
        "かがの", ("お", "3"), ("の", "ー"), (), "", "", "。", False,
    ),
    Script(
        "hangul", "ko",
        ("중국", "반도체", "국", "한국 기업", "중국*", "드론"),
        ("중국은", "중", "국은", "기업", "한국", "러시아"),
        "가각은", ("한", "3"), ("은", "3"), (), "그리고", "오늘",
    ),
    Script(
        "arabic", "ar",
        ("صين", "الصين", "روسيا", "رقائق*", "طائرة مسيرة", "تصدير"),
        ("والصين", "بروسيا", "وبروسيا", "مصين", "صينية", "رقائق", "كتب"),
        "صينم", ("و", "ف", "ب", "ل", "ال", "وال", "بال", "م", "3"), ("ية", "3"), ("\u064e", "\u0651"), "ثم", "غدا",
    ),
    Script(
        "hebrew", "he",
        ("סין", "רוסיה", "שבב*", "מל\"ט".replace('"', "״"), "צבא סין"),
        ("בסין", "וסין", "קסין", "סינית", "צבא", "רוסיה"),
        "סינצ", ("ו", "ה", "ב", "ל", "וב", "וה", "ק", "3"), ("ית", "3"), ("\u05b7",), "אז", "מחר",
    ),
    Script(
        "thai", "th",
        ("จีน", "ชิป", "รถ", "โดรน", "ส่งออก"),
        ("จีนส่งออก", "รถถัง", "และ", "กา", "ก่า"),
        "กาจ", ("ก", "3"), ("า", "3"), ("\u0e48",), "", "", "", False,
    ),
    Script(
        "devanagari", "hi",
        ("चीन", "रूस", "चिप*", "ड़ोन", "सेना चीन", "क"),
        ("चीनी", "कि", "रूस", "सेना", "ड\u093cोन", "डोन"),
        "कखत", ("अ", "3"), ("ी", "ि", "3"), ("\u093f", "\u093c"), "तब", "आज", "। ",
    ),
)  # fmt: skip

INVISIBLE = ("\u00ad", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff")
DASHES = ("-", "\u2010", "\u2011", "–", "—", "－")
SPACES = (" ", "  ", "\n", "\u00a0", "\u3000", " - ", "\t", "    ")
QUOTES = ("'", "’", "‘", "ʼ", "＇", "")
NAMES = ("alpha", "beta", "gamma")


def chance(draw: DrawFn, percent: int) -> bool:
    return draw(st.integers(0, 99)) >= 100 - percent  # the smallest draw says no: shrinking leaves things out


# ----------------------------------------------------------------------------------------------------------- books


@dataclass(frozen=True)
class Case:
    book: Book
    documents: tuple[Document, ...]


@st.composite
def cases(draw: DrawFn) -> Case:
    """A rule book and two documents made for it."""
    scripts = draw(st.lists(st.sampled_from(SCRIPTS), min_size=1, max_size=3, unique_by=lambda script: script.name))
    book = draw_book(draw, scripts)
    planted = planted_terms(book)
    return Case(book, tuple(draw_document(draw, scripts, planted) for _ in range(2)))


def draw_term(draw: DrawFn, scripts: list[Script]) -> str:
    script = draw(st.sampled_from(scripts))
    if chance(draw, 60):
        return draw(st.sampled_from(script.terms))
    word = draw(st.text(script.alphabet, min_size=1, max_size=3))
    if unicodedata.category(word[0])[0] == "M":
        word = script.alphabet[0] + word
    kind = draw(st.integers(0, 9))
    if kind < 4 or not script.spaced:
        return word
    other = draw(st.text(script.alphabet[:3], min_size=1, max_size=2))
    return {
        4: word + "*", 5: "*" + word, 6: f"{word} {other}", 7: f"{word}-{other}", 8: f"={word}", 9: f"{word}?{other}",
    }[kind]  # fmt: skip


def draw_terms(draw: DrawFn, scripts: list[Script], most: int) -> tuple[Term, ...]:
    texts = dict.fromkeys(draw_term(draw, scripts) for _ in range(draw(st.integers(1, most))))
    terms = []
    for text in texts:
        language = draw(st.sampled_from((None, None, *(script.language for script in scripts))))
        only_in = (draw(st.sampled_from(("de", "en", "zh"))),) if chance(draw, 8) else ()
        terms.append(Term(text, language, only_in))
    order = list(dict.fromkeys(term.language for term in terms))
    return tuple(sorted(terms, key=lambda term: order.index(term.language)))


def draw_book(draw: DrawFn, scripts: list[Script]) -> Book:
    shared = [Concept("one", draw_terms(draw, scripts, 3))]
    if chance(draw, 50):
        exceptions = draw_terms(draw, scripts, 2) if chance(draw, 50) else ()
        shared.append(Concept("two", draw_terms(draw, scripts, 2), ("one",), plain(exceptions)))
    concepts = []
    for name in NAMES:
        include = tuple({f"voc.{draw(st.sampled_from(shared)).name}"}) if chance(draw, 30) else ()
        exceptions = draw_terms(draw, scripts, 2) if chance(draw, 30) else ()
        concepts.append(Concept(name, draw_terms(draw, scripts, 4), include, plain(exceptions)))
    names = [*NAMES, "voc.one", "one"]
    leaves = [Name(name) for name in names] + [Quote(draw_term(draw, scripts).removesuffix("\\")) for _ in range(2)]
    rules = tuple(draw_rule(draw, f"rule-{number}", leaves) for number in range(3))
    return Book((Theme("theme", tuple(concepts), rules, ("voc",)),), (("voc", tuple(shared)),))


def plain(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    return tuple(Term(term.text) for term in terms)


def planted_terms(book: Book) -> tuple[str, ...]:
    concepts = [concept for theme in book.themes for concept in theme.concepts]
    concepts += [concept for _, vocabulary in book.vocabularies for concept in vocabulary]
    terms = [term.text for concept in concepts for term in (*concept.terms, *concept.exceptions)]
    for theme in book.themes:
        for rule in theme.rules:
            terms += [leaf.term for leaf in leaves_of(rule.when) if isinstance(leaf, Quote)]
    return tuple(dict.fromkeys(terms))


def leaves_of(expression: Expression) -> list[Name | Quote]:
    match expression:
        case Name() | Quote():
            return [expression]
        case And() | Or() | Near():
            return [leaf for operand in expression.operands for leaf in leaves_of(operand)]
        case Not() | Only() | AtLeast():
            return leaves_of(expression.operand)


def draw_rule(draw: DrawFn, id: str, leaves: list[Name | Quote]) -> Rule:
    when = draw_condition(draw, leaves, 2)
    if not asks(when):
        when = And((draw(st.sampled_from(leaves)), when))
    unless = draw_condition(draw, leaves, 1) if chance(draw, 15) else None
    if unless is not None and (not asks(unless) or unless == when):
        unless = None
    return Rule(id, when, unless, draw_where(draw) if chance(draw, 15) else Where())


def asks(expression: Expression) -> bool:
    """Whether an expression asks for at least one thing to be there."""
    match expression:
        case Not():
            return False
        case And():
            return any(map(asks, expression.operands))
        case Or():
            return all(map(asks, expression.operands))
        case Only():
            return asks(expression.operand)
        case _:
            return True


def draw_where(draw: DrawFn) -> Where:
    key = draw(st.sampled_from(("languages", "sources", "tags", "domains", "not_domains", "max_age_days", "min_words")))
    value = {
        "languages": ("en", "zh"), "sources": ("wire",), "tags": ("official", "eu"), "domains": ("example.org",),
        "not_domains": ("example.org",), "max_age_days": 14, "min_words": draw(st.integers(5, 30)),
    }[key]  # fmt: skip
    return Where(**{key: value})


def draw_condition(draw: DrawFn, leaves: list[Name | Quote], depth: int, field: bool = True) -> Expression:
    kind = draw(st.integers(0, 99))
    if depth == 0 or kind < 8:
        return draw(st.sampled_from(leaves))
    if kind < 28:
        return And(tuple(several(draw, lambda: draw_condition(draw, leaves, depth - 1, field))))
    if kind < 38:
        return Or(tuple(several(draw, lambda: draw_condition(draw, leaves, depth - 1, field))))
    if kind < 46:
        operand = draw_condition(draw, leaves, depth - 1, field)
        return operand if isinstance(operand, Not) else Not(operand)
    if kind < 56 and field:
        name = draw(st.sampled_from(("title", "lead", "body", "url", "author", "title", "lead", "body")))
        return Only(name, draw_condition(draw, leaves, depth - 1, False))
    if kind < 72:
        counted = draw_choice(draw, leaves)
        return AtLeast(draw(st.integers(2, 3)), chance(draw, 50), counted)
    return draw_near(draw, leaves, 1)


def several(draw: DrawFn, make) -> list[Expression]:  # type: ignore[no-untyped-def]
    return [make() for _ in range(draw(st.sampled_from((2, 2, 3))))]


def draw_choice(draw: DrawFn, leaves: list[Name | Quote]) -> Expression:
    if chance(draw, 30):
        return Or(tuple(draw(st.lists(st.sampled_from(leaves), min_size=2, max_size=2, unique=True))))
    return draw(st.sampled_from(leaves))


def draw_near(draw: DrawFn, leaves: list[Name | Quote], depth: int) -> Near:
    operator = draw(st.sampled_from(("w", "near", "pre", "s", "p", "w", "s")))
    negated = operator != "pre" and chance(draw, 25)
    operands = []
    for _ in range(draw(st.sampled_from((2, 2, 2, 3)))):
        nested = depth > 0 and chance(draw, 12)
        operands.append(draw_near(draw, leaves, 0) if nested else draw_choice(draw, leaves))
    return Near(operator, draw(st.integers(1, 5)), negated, tuple(operands))


# ------------------------------------------------------------------------------------------------------- documents


def draw_document(draw: DrawFn, scripts: list[Script], planted: tuple[str, ...]) -> Document:
    title = draw_sentence(draw, draw(st.sampled_from(scripts)), scripts, planted) if chance(draw, 70) else ""
    paragraphs = [draw_paragraph(draw, scripts, planted) for _ in range(draw(st.integers(0, 3)))]
    published = datetime(2026, 3, 1, tzinfo=UTC) if chance(draw, 70) else None
    seen = None if published is None else published + timedelta(days=draw(st.sampled_from((0, 13, 14, 15))), hours=1)
    return Document(
        title=title,
        text="\n\n".join(paragraphs),
        url=draw_url(draw, planted),
        author=draw_word(draw, scripts, planted) if chance(draw, 30) else None,
        language=draw(st.sampled_from((None, "en", "de", "ru", "zh", "zh-Hant"))),
        published=published,
        first_seen=seen,
        source=draw(st.sampled_from(("wire", "blog", None))),
        tags=draw(st.sampled_from((("official",), ("other", "eu"), (), None))),
    )


def draw_url(draw: DrawFn, planted: tuple[str, ...]) -> str | None:
    host = draw(st.sampled_from((None, "example.org", "www.example.org", "notexample.org")))
    word = draw(st.sampled_from(planted)).strip("*/=").replace(" ", "-")
    word = word if word.isascii() and word.isalnum() else "news"
    return None if host is None else f"https://{host}/{word}/1"


def draw_paragraph(draw: DrawFn, scripts: list[Script], planted: tuple[str, ...]) -> str:
    script = draw(st.sampled_from(scripts))
    sentences = []
    for _ in range(draw(st.integers(1, 3))):
        sentence = draw_sentence(draw, script, scripts, planted)
        first = sentence[:1]
        clear = unicodedata.category(first)[0] == "L" and first.upper() == first if first else False
        sentences.append(sentence if clear or not script.opening else f"{script.opening} {sentence}")
    if not script.stop:  # no sign ends a sentence of this script: one is all a paragraph has
        return sentences[0]
    end = f" {script.closing}{script.stop}" if script.closing else script.stop
    return end.join(sentences) + end.rstrip(" ")


def draw_sentence(draw: DrawFn, script: Script, scripts: list[Script], planted: tuple[str, ...]) -> str:
    text = ""
    for _ in range(draw(st.integers(1, 7))):
        word = draw_word(draw, scripts, planted)
        joint = draw_joint(draw, script) if text else ""
        if "." in text[-3:]:
            joint = " and "
        text += joint + word
    return text + " and" if "." in text[-3:] else text


def draw_joint(draw: DrawFn, script: Script) -> str:
    kind = draw(st.integers(0, 19))
    if kind < (4 if script.spaced else 12):
        return "" if kind % 2 == 0 or not script.spaced else "-"
    if kind < 14:
        return " "
    return draw(st.sampled_from((", ", "\n", " (", "/", "'", " – ", "、", "  ", "\u3000", "; ")))


def draw_word(draw: DrawFn, scripts: list[Script], planted: tuple[str, ...]) -> str:
    if chance(draw, 60):
        term = draw(st.sampled_from(planted))
        script = next((s for s in scripts if term in s.terms), draw(st.sampled_from(scripts)))
        word = filled(draw, term, script)
    else:
        script = draw(st.sampled_from(scripts))
        word = (
            draw(st.sampled_from(script.words))
            if chance(draw, 60)
            else draw(st.text(script.alphabet, min_size=1, max_size=3))
        )
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 1, 2)))):
        word = spoilt(draw, word, script)
    return word


def filled(draw: DrawFn, term: str, script: Script) -> str:
    """A word that the term is written for."""
    if term.startswith("/"):
        return draw(st.sampled_from(("HS 8542", "HS8542", "hs 8499", "Mk1", "Mk2")))
    word = ""
    for char in term.removeprefix("="):
        if char == "*":
            word += draw(st.sampled_from(("", "s", script.alphabet[0], script.alphabet[-1])))
        elif char == "?":
            word += draw(st.sampled_from(script.alphabet))
        else:
            word += char
    return word


def spoilt(draw: DrawFn, word: str, script: Script) -> str:
    """The word written in another way, or made another word."""
    place = draw(st.integers(0, len(word)))
    match draw(st.integers(0, 13)):
        case 0:
            return word.upper()
        case 1:
            return word.title()
        case 2:
            return unicodedata.normalize("NFD", word)
        case 3 | 4:
            return word[:place] + draw(st.sampled_from(INVISIBLE)) + word[place:]
        case 5:
            return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in word)
        case 6 if script.marks and place and script_of(word[place - 1]) == script.name.upper():
            return word[:place] + draw(st.sampled_from(script.marks)) + word[place:]
        case 7 if script.before:
            return draw(st.sampled_from(script.before)) + word
        case 8 if script.after:
            return word + draw(st.sampled_from(script.after))
        case 9:
            return word.replace("ß", "ss").replace("ё", "е").replace("й", "и").replace("ffi", "ﬃ").replace("fi", "ﬁ")
        case 10:
            return word.replace("ss", "ß").replace("е", "ё").replace("и", "й").replace("í", "i").replace("ς", "σ")
        case 11:
            return word.replace("-", draw(st.sampled_from(DASHES))).replace("'", draw(st.sampled_from(QUOTES)))
        case 12:
            space = draw(st.sampled_from(SPACES))
            return word.replace(" ", space).replace("-", space)
        case 13:
            return word.swapcase()
    return word[:-1]
