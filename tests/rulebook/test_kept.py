"""Compiled books on disk: the same answers as fresh ones, and never anything but a loss of time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from monitor.matching.engine import Engine, compile_book, compile_with_needles
from monitor.matching.explain import document_of, run_examples
from monitor.rulebook import kept, themes
from monitor.rulebook.kept import MAX_FILES, Cache

RULES = Path(__file__).parents[2] / "rules"
THEME = """\
theme: machines
title: Machines
concepts:
  makers:
    terms: ["=Dr", "*halbleiter", "m?tal work*", "/bea[rs]ing s+teel/", "/.[0-9]./", قناة, 반도체]
    except: [Dr No]
rules:
  - {id: only, when: makers w/5 "%s", unless: 'title:("recall")', where: {languages: [de], max_age: 3d}}
examples:
  match: ["Dr %s", "Leistungshalbleiter %s", "the mital works %s", "a bearing ssteel %s", a1b %s]
  no_match: [{text: "Dr No %s"}]
"""


def files_of(word: str) -> dict[str, str]:
    return {"themes/machines.yaml": THEME.replace("%s", word)}


def keep(cache: Cache, files: Mapping[str, str]) -> Engine:
    book, faults = themes.load_rules(files)
    assert book is not None, faults
    engine, needles = compile_with_needles(book)
    cache.keep(files, engine, needles)
    return engine


@pytest.mark.parametrize("files", [files_of("Omsk"), themes.read_rule_files(RULES)[0]], ids=["every form", "shipped"])
def test_a_kept_book_answers_as_a_fresh_one(tmp_path: Path, files: Mapping[str, str]) -> None:
    fresh = keep(Cache(tmp_path), files)
    again = Cache(tmp_path).engine(files)
    assert again is not None
    assert again.book == fresh.book
    assert run_examples(again) == []
    documents = [document_of(example) for theme in fresh.book.themes for example in theme.examples]
    found = [fresh.match(document) for document in documents]
    assert any(found)
    assert [again.match(document) for document in documents] == found


def test_what_is_not_kept_is_not_found(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    keep(cache, files_of("Omsk"))
    assert cache.engine(files_of("Tomsk")) is None
    assert Cache(tmp_path / "nowhere").engine(files_of("Omsk")) is None


def test_a_damaged_file_is_as_none(tmp_path: Path) -> None:
    cache, files = Cache(tmp_path), files_of("Omsk")
    keep(cache, files)
    (path,) = tmp_path.glob("*.book")
    whole = path.read_bytes()
    for at in range(0, len(whole), 97):
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        assert cache.engine(files) is None
        path.write_bytes(whole[:at])
        assert cache.engine(files) is None
    path.write_bytes(whole)
    assert cache.engine(files) is not None


def test_a_file_under_another_name_is_as_none(tmp_path: Path) -> None:
    keep(Cache(tmp_path / "one"), files_of("Omsk"))
    keep(Cache(tmp_path / "two"), files_of("Tomsk"))
    (one,), (two,) = (tmp_path / "one").glob("*.book"), (tmp_path / "two").glob("*.book")
    one.replace(two)
    assert Cache(tmp_path / "two").engine(files_of("Tomsk")) is None


def test_a_book_of_other_files_is_as_none(tmp_path: Path) -> None:
    cache, files = Cache(tmp_path), files_of("Omsk")
    book, _ = themes.load_rules(files_of("Tomsk"))
    assert book is not None
    cache.keep(files, *compile_with_needles(book))
    assert list(tmp_path.glob("*.book"))
    assert cache.engine(files) is None


def test_only_the_last_books_are_kept(tmp_path: Path) -> None:
    cache, words = Cache(tmp_path), ["Omsk", "Tomsk", "Kursk", "Brest", "Minsk"]
    for word in words:
        keep(cache, files_of(word))
    assert [cache.engine(files_of(word)) is not None for word in words] == [False] * 2 + [True] * MAX_FILES
    assert len(list(tmp_path.iterdir())) == MAX_FILES


def test_a_folder_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache = Cache(tmp_path / "cache")
    keep(cache, files_of("Omsk"))
    assert cache.engine(files_of("Omsk")) is None


def test_a_book_is_read_once(tmp_path: Path) -> None:
    first, _ = kept.load_rules(files_of("Omsk"))
    assert first is not None
    assert kept.load_rules(files_of("Omsk"))[0] is first
    other, _ = kept.load_rules(files_of("Tomsk"))
    assert other is not None
    assert other.revision != first.revision
    assert compile_book(first).book is first


def test_faults_are_found_each_time() -> None:
    for _ in range(2):
        book, faults = kept.load_rules({"themes/machines.yaml": "theme: [1"})
        assert book is None
        assert faults
