"""`backtest`, `diff`, `near-misses`, `scorecard`: a desk with the shipped themes and our own texts in its log."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from monitor.app import open_store_to_read, open_store_to_write, wall_clock
from monitor.books import compile_files
from monitor.cli import context, dispatch
from monitor.core import events as ev
from monitor.core import views
from monitor.matching.book import RuleBook, Term
from monitor.matching.compare import compare
from monitor.matching.engine import Engine, compile_book
from monitor.matching.explain import explain
from monitor.matching.model import Document
from monitor.pipeline.backtest import seen
from monitor.pipeline.detect import document_of
from monitor.rulebook.themes import read_rule_files
from monitor.settings import load_settings
from monitor.store.sql import SqlStore

ROOT = Path(__file__).parents[2]
TEXTS = ROOT / "tests" / "themes" / "texts.jsonl"
COUNT = 120
THEME = "china-russia-dual-use"
REMOVED = "drones"


@pytest.fixture(autouse=True)
def _given_home() -> Iterator[None]:
    yield
    context.given_home = None


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts matched live, by the command; two of them revised thereafter."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "rules", folder / "rules")
    (folder / "seeds").mkdir()
    (folder / "seeds" / "sources.yaml").write_text("sources: []\n")
    lines = TEXTS.read_text("utf-8").splitlines(keepends=True)
    lines = [lines[-30], *lines[100 : COUNT + 99]]
    (folder / "texts.jsonl").write_text("".join(lines), "utf-8")
    more = zip(map(json.loads, lines), ("Amended.", "No more."), strict=False)
    revised = [json.dumps({**text, "text": f"{text['text']} {words}"}) for text, words in more]
    (folder / "revised.jsonl").write_text("\n".join(revised), "utf-8")
    for file in ("texts.jsonl", "revised.jsonl"):
        assert dispatch(["--home", str(folder), "ingest", str(folder / file)]) == 0
    return folder


@dataclass
class Told:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Ask = Callable[..., Told]


@pytest.fixture
def ask(home: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    def ask(*words: object, home: Path = home) -> Told:
        capsys.readouterr()
        code = dispatch(["--home", str(home), *map(str, words)])
        return Told(code, *capsys.readouterr())

    return ask


@pytest.fixture
def store(home: Path) -> Iterator[SqlStore]:
    store = open_store_to_read(load_settings(home))
    yield store
    store.close()


def engine(rules: Path) -> Engine:
    return compile_files(read_rule_files(rules)[0])


def documents(store: SqlStore) -> dict[str, Document]:
    """Entry -> what it was at first."""
    return {one.entry_id: one.document for one in seen(store, 0, store.head().position) if one.revision == 1}


def copied(home: Path, folder: Path, edit: Callable[[str], str]) -> Path:
    """The rules of a desk with the lead theme edited."""
    shutil.copytree(home / "rules", folder)
    file = folder / "themes" / f"{THEME}.yaml"
    before = file.read_text("utf-8")
    file.write_text(edit(before), "utf-8")
    assert file.read_text("utf-8") != before
    return folder


@pytest.fixture
def without_concept(home: Path, tmp_path: Path) -> Path:
    """The shipped rules, but for one concept that the lead theme's goods include."""
    return copied(home, tmp_path / "new", lambda text: text.replace(f" {REMOVED}, drone-parts", " drone-parts", 1))


# --- backtest


def test_a_backtest_says_what_live_matching_said_event_for_event(ask: Ask, store: SqlStore) -> None:
    live: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for recorded in store.read(types=("EntryMatched",)):
        assert isinstance(recorded.event, ev.EntryMatched)
        said = json.loads(json.dumps([ev_rule(rule) for rule in recorded.event.rules]))
        live.setdefault((recorded.event.entry_id, recorded.event.revision), []).extend(
            {"theme": recorded.event.theme, **rule} for rule in said
        )
    told = ask("backtest", "--json", "--jobs", 1)
    assert told.code == 0
    assert len(told.rows) == store.count(views.ENTRIES) + 2
    assert {(row["entry_id"], row["revision"]): row["matches"] for row in told.rows if row["matches"]} == live
    assert [row["position"] for row in told.rows] == sorted(row["position"] for row in told.rows)


def ev_rule(rule: Any) -> dict[str, Any]:
    plain = msgspec.to_builtins(rule)
    return {key: plain[key] for key in ("rule", "severity", "evidence")}


def test_several_processes_say_the_same(ask: Ask) -> None:
    assert ask("backtest", "--json", "--jobs", 2).out == ask("backtest", "--json").out


def test_a_backtest_answers_as_match_does(ask: Ask, home: Path) -> None:
    wanted = {row["id"]: row["matches"] for row in ask("match", home / "texts.jsonl", "--json", "--strict").rows}
    found = {row["id"]: row["matches"] for row in ask("backtest", "--json").rows if row["revision"] == 1}
    assert found == wanted


def test_for_people_a_backtest_shows_what_matched(ask: Ask) -> None:
    told = ask("backtest")
    assert "DJI quadcopters keep flying for Moscow's troops" in told.out
    assert re.search(f"^    {THEME}/transit \\(high\\): .*“quadcopters”", told.out, re.MULTILINE)
    assert f"{COUNT + 2} revisions of entries, " in told.err


def test_a_backtest_of_a_stretch(ask: Ask) -> None:
    assert ask("backtest", "--json", "--until", "2001-01-01").rows == []
    assert ask("backtest", "--json", "--since", "1h").rows == ask("backtest", "--json").rows
    assert ask("backtest", "--json", "--since", "2999-01-01").rows == []


def test_a_draft_is_tried_while_another_process_may_write(ask: Ask, home: Path, tmp_path: Path) -> None:
    draft = tmp_path / "draft"
    (draft / "themes").mkdir(parents=True)
    (draft / "themes" / "t.yaml").write_text("theme: t\ntitle: T\nrules: [{id: r, when: '\"drones\"'}]\n")
    writer = open_store_to_write(load_settings(home), wall_clock)
    try:
        before = writer.head()
        found = [row for row in ask("backtest", "--rules", draft, "--json").rows if row["themes"]]
        assert writer.head() == before
    finally:
        writer.close()
    assert found
    assert {match["rule"] for row in found for match in row["matches"]} == {"r"}


# --- diff


def test_diff_names_exactly_what_a_removed_concept_loses_and_by_which_term(
    ask: Ask, home: Path, store: SqlStore, without_concept: Path, tmp_path: Path
) -> None:
    told = ask("diff", home / "rules", without_concept, "--json")
    old, new = engine(home / "rules"), engine(without_concept)
    known = documents(store)
    # what is lost: what one engine finds and the other does not
    before, after = ({(found, key) for found, one in known.items() for key in met(book, one)} for book in (old, new))
    assert {(row["entry_id"], (row["theme"], row["rule"])) for row in told.rows} == before - after
    assert after < before
    # by which term: one of the concept; and put back by itself it finds the entry again
    terms = {term.text for term in old.book.concepts[f"drones.{REMOVED}"].terms}
    by_term = {row["term"]: put_back(new.book, row["term"]) for row in told.rows}
    assert terms.issuperset(by_term)
    for row in told.rows:
        document = known[row["entry_id"]]
        assert (row["theme"], row["rule"]) in met(by_term[row["term"]], document), row
        assert (row["change"], row["title"]) == ("lost", document.title)


def met(engine: Engine, document: Document) -> set[tuple[str, str]]:
    return {(theme.theme, rule.rule) for theme in engine.match(document) for rule in theme.rules}


def put_back(book: RuleBook, term: str) -> Engine:
    """Rules whose lead theme has one more term among its goods."""
    goods = book.concepts[f"{THEME}:goods"]
    more = replace(goods, terms=(*goods.terms, Term(text=term)))
    themes = tuple(theme for theme in book.themes if theme.id == THEME)
    return compile_book(replace(book, themes=themes, concepts={**book.concepts, goods.key: more}))


def test_the_way_back_gains_what_was_lost(ask: Ask, home: Path, without_concept: Path) -> None:
    lost = ask("diff", home / "rules", without_concept, "--json", "--jobs", 2).rows
    gained = ask("diff", without_concept, home / "rules", "--json").rows
    keys = ("theme", "rule", "term", "entry_id", "title")
    assert [[row[key] for key in keys] for row in gained] == [[row[key] for key in keys] for row in lost]
    assert {row["change"] for row in gained} == {"gained"}


def test_a_concept_removed_with_its_rule(ask: Ask, home: Path, tmp_path: Path) -> None:
    def edit(text: str) -> str:
        concept, rules, help = map(
            text.index, ("  listed-suppliers:", "rules:\n", "  # --- help for the arms industry")
        )
        whole = text[:concept] + text[rules : text.index("  - id: listed-supplier ")] + text[help:]
        return re.sub("^.*(first_seen|rule): listed-supplier.*\n", "", whole, flags=re.MULTILINE)

    [lost] = ask("diff", home / "rules", copied(home, tmp_path / "new", edit), "--json").rows
    assert (lost["rule"], lost["term"], lost["change"]) == ("listed-supplier", None, "lost")
    assert lost["reason"] == "the rule is gone"


def test_for_people_a_diff_counts_and_shows_the_words_in_their_sentence(
    ask: Ask, home: Path, without_concept: Path
) -> None:
    out = ask("diff", home / "rules", without_concept).out
    first, *lines = out.splitlines()
    assert first.startswith("gained 0, lost ") and "unchanged " in first
    assert any(re.fullmatch(f"{THEME}/transit: gained 0, lost 1, unchanged \\d+", line) for line in lines)
    assert any(re.match(r"    lost by .*quadcopter\* \(1\)", line) for line in lines)
    assert any(re.fullmatch(r"lost, the first \d+:", line) for line in lines)
    assert any(re.fullmatch(r"unchanged: \d+ other rules", line) for line in lines)
    assert any(line.startswith("    | ") and "*quadcopters*" in line for line in lines)


def test_a_diff_of_the_same_rules_says_nothing(ask: Ask, home: Path) -> None:
    assert ask("diff", home / "rules", home / "rules", "--json").rows == []
    out = ask("diff", home / "rules", home / "rules", "--theme", THEME).out
    assert out.startswith("gained 0, lost 0, unchanged ")
    assert len(out.splitlines()) == 1


# --- near misses


def test_near_misses_are_those_that_explain_tells(ask: Ask, store: SqlStore, home: Path) -> None:
    rows = ask("near-misses", "--json").rows
    assert len(rows) > 10
    book = engine(home / "rules")
    for row in rows:
        entry = store.get(views.ENTRIES, row["entry_id"])
        assert entry is not None
        event = store.at(entry.text_position).event
        assert isinstance(event, ev.EntryObserved | ev.EntryRevised)
        [theme] = explain(book, document_of(event, entry), row["theme"])
        [rule] = [rule for rule in theme.rules if rule.rule == row["rule"]]
        assert (theme.matched, rule.near_miss, entry.title) == (False, row["failed"], row["title"])


def test_near_misses_of_one_theme_for_people(ask: Ask) -> None:
    rows = ask("near-misses", "--theme", THEME, "--json").rows
    assert {row["theme"] for row in rows} == {THEME}
    told = ask("near-misses", "--theme", THEME)
    assert f"    {THEME}/flow: stopped by unless: drone boom" in told.out
    assert "    | Ukraine's commercial *drone* boom faces parts crunch" in told.out
    assert f"{len(rows):,} near misses" in told.err


# --- scorecard


def test_a_scorecard_agrees_with_the_log(ask: Ask, store: SqlStore, home: Path) -> None:
    fired: dict[tuple[str, str], set[str]] = {}
    for recorded in store.read(types=("EntryMatched",)):
        assert isinstance(recorded.event, ev.EntryMatched)
        for rule in recorded.event.rules:
            fired.setdefault((recorded.event.theme, rule.rule), set()).add(recorded.event.entry_id)
    rows = ask("scorecard", "--json").rows
    of_rules = {(row["theme"], row["rule"]): row["hits"] for row in rows if row["term"] is None}
    assert {key: hits for key, hits in of_rules.items() if hits} == {key: len(found) for key, found in fired.items()}
    assert len(of_rules) == sum(len(theme.rules) for theme in engine(home / "rules").book.themes)
    for row in rows:
        assert 0 <= row["rests"] <= row["hits"] <= of_rules[row["theme"], row["rule"]]
        assert (row["last_fired"] is None) == (row["hits"] == 0)


def test_a_share_that_rests_on_a_term_is_what_striking_it_would_lose(ask: Ask, home: Path, store: SqlStore) -> None:
    rows = ask("scorecard", "--theme", THEME, "--json").rows
    most = max((row for row in rows if row["rule"] == "transit" and row["term"]), key=lambda row: row["rests"])
    old = engine(home / "rules")
    new = compile_without(old.book, most["term"])
    known = documents(store).values()
    lost = sum(("transit" in {one.rule for one in compare(old, new, document).lost}) for document in known)
    assert most["rests"] == lost > 0


def compile_without(book: RuleBook, term: str) -> Engine:
    concepts = {
        key: replace(concept, terms=tuple(one for one in concept.terms if one.text != term))
        for key, concept in book.concepts.items()
    }
    return compile_book(replace(book, concepts=concepts))


def test_for_people_a_scorecard_shows_the_terms_that_fired(ask: Ask) -> None:
    told = ask("scorecard", "--theme", "iran-dprk-arms-to-russia")
    assert re.match(r"iran-dprk-arms-to-russia/\S+: \d+ hits?, \d+% rest on one term, last fired\s+20", told.out)
    assert f"looked for in {COUNT} entries" in told.out
    assert re.search(r"^    never fired: 1,\d+ of 1,\d+ terms$", told.out, re.MULTILINE)


def test_verdicts_and_shadow_on_a_scorecard(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "rules" / "themes").mkdir(parents=True)
    (tmp_path / "seeds").mkdir()
    rules = '[{id: port, when: \'"strike" and "port"\'}, {id: mine, when: \'"pit"\'}]'
    for name, mode in (("loud", "live"), ("quiet", "shadow")):
        (tmp_path / "rules" / "themes" / f"{name}.yaml").write_text(
            f"theme: {name}\ntitle: {name}\nmode: {mode}\nrules: {rules}\n"
        )
    texts = ("A strike in the port.", "The port is on strike.", "Strike ends, port opens.", "Strike at the port?")
    lines = (json.dumps({"id": f"n{at}", "title": text, "text": text}) for at, text in enumerate(texts))
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    assert ask("ingest", tmp_path / "in.jsonl", home=tmp_path).code == 0
    alerts = ask("alerts", "--json", home=tmp_path).rows
    assert {alert["theme"] for alert in alerts} == {"loud"}
    for alert, word in zip(alerts, ("noise", "noise", "noise", "relevant"), strict=True):
        assert ask("verdict", alert["alert_id"], word, home=tmp_path).code == 0
    rows = {
        (row["theme"], row["rule"]): row for row in ask("scorecard", "--json", home=tmp_path).rows if not row["term"]
    }
    loud, quiet = rows["loud", "port"], rows["quiet", "port"]
    assert (loud["relevant"], loud["noise"], loud["precision"], loud["finding"]) == (1, 3, 0.25, "noisy")
    assert (quiet["mode"], quiet["hits"], quiet["precision"], quiet["finding"]) == ("shadow", 4, None, None)
    assert rows["loud", "mine"]["finding"] == "dead"
    told = ask("scorecard", home=tmp_path).out
    assert "quiet/port [shadow]: 4 hits, 100% rest on one term" in told
    assert "\ndead (never fired): loud/mine, quiet/mine\n" in told
    assert told.splitlines()[-1].endswith(": loud/port")


# --- what goes wrong


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("backtest", "--rules", "nowhere"), 2, "'nowhere' is no folder"),
        (("backtest", "--jobs", "0"), 2, "--jobs 0"),
        (("backtest", "--since", "soon"), 2, "'soon' is no instant"),
        (("diff", "nowhere", "nowhere"), 2, "'nowhere' is no folder"),
        (("near-misses", "--theme", "none"), 1, "there is no theme 'none'; there are china-russia-dual-use, "),
        (("scorecard", "--theme", "none"), 1, "there is no theme 'none'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(ask: Ask, words: tuple[str, ...], code: int, said: str) -> None:
    told = ask(*words)
    assert (told.code, told.out) == (code, "")
    assert said in told.err


def test_a_faulty_draft_names_its_faults(ask: Ask, home: Path, tmp_path: Path) -> None:
    draft = copied(
        home, tmp_path / "draft", lambda text: text.replace("include: [china-alone", "include: [chinna-alone")
    )
    for words in (("backtest", "--rules", draft), ("diff", home / "rules", draft), ("near-misses", "--rules", draft)):
        told = ask(*words)
        assert (told.code, told.out) == (78, "")
        assert f"rules/themes/{THEME}.yaml:" in told.err


def test_without_a_log_there_is_nothing_to_try(ask: Ask, home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "rules", tmp_path / "rules")
    (tmp_path / "seeds").mkdir()
    for words in (("backtest",), ("scorecard",), ("near-misses",)):
        assert ask(*words, home=tmp_path).code == 69
