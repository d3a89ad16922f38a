"""YAML files to nodes: places, slips with their cures, bombs, and the field reader."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import Fault
from monitor.rulebook import document, slips
from monitor.rulebook.document import Fields, Node, parse


def read(text: str) -> tuple[Node | None, list[Fault]]:
    faults: list[Fault] = []
    return parse("rules/x.yaml", text, faults), faults


def fields(text: str, what: str = "source") -> tuple[Fields, list[Fault]]:
    node, faults = read(text)
    assert node is not None, faults
    return Fields(node, "rules/x.yaml", faults, what), faults


@pytest.fixture(params=["c", "python"])
def either_loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slips, "LOADER", yaml.CBaseLoader if request.param == "c" else yaml.BaseLoader)


def test_every_scalar_stays_text_as_written() -> None:
    written = ["no", "on", "12:30", "8471.50", "0123", "7e5", "2024-05-01", "~", "null", "0x1F", "1_000"]
    node, faults = read("".join(f"- {value}\n" for value in written))
    assert node is not None and not faults
    assert [item.text for item in node.items] == written


def test_nodes_know_their_line_and_column() -> None:
    node, _ = read("a: 1\nb:\n  - x\n  - 半导体 # comment\n")
    assert node is not None
    (key, value), (_, items) = node.pairs
    assert (key.line, key.column, value.line, value.column) == (1, 1, 1, 4)
    assert (items.items[1].line, items.items[1].column) == (4, 5)


SLIPS = [
    ('when: "a" and b\n', 1, 11, "begins with a quote"),
    ("- 'China's firms'\n", 1, 10, "the apostrophe ends"),
    ("a: [x] and b\n", 1, 8, "begins with '['"),
    ("a: [x, y\nb: c\n", 1, 4, "'[' begins here and is not closed"),
    ("a: {b: c\nd: e\n", 1, 4, "'{' begins here and is not closed"),
    ("title: Foo: bar\n", 1, 11, "a colon and a space"),
    ("- China: sends: chips\n", 1, 15, "a colon and a space"),
    ("- *halbleiter\n", 1, 3, "an unquoted '*'"),
    ("- *半导体\n", 1, 3, "an unquoted '*'"),
    ("a: [*foo, b]\n", 1, 5, "an unquoted '*'"),
    ("a: &x b\nc: *x\n", 1, 4, "an unquoted '&'"),
    ("a: !foo\n", 1, 4, "an unquoted '!'"),
    ("a: !!python/object:os.system x\n", 1, 4, "an unquoted '!'"),
    ("- @foo\n", 1, 3, "cannot begin with an unquoted '@'"),
    ("a: `x`\n", 1, 4, "cannot begin with an unquoted '`'"),
    ("a: %foo\n", 1, 4, "cannot begin with an unquoted '%'"),
    ("a: >foo\n", 1, 4, "an unquoted '>'"),
    ("a:\n\t- b\n", 2, 1, "a tab"),
    ("a: x\n\tb: c\n", 2, 1, "a tab"),
    ("a: 1\nb: 2\na: 3\n", 3, 1, "'a' stands here a second time (first in line 1)"),
    ("theme: x\n  title: y\n", 2, 8, "does not fit the indentation"),
    ("a:\n  - b\n c: d\n", 3, 2, "does not fit the indentation"),
    ('a: "x\nb: c\n', 1, 4, "the quote that begins here"),
    ('a:\n  b: {terms: [one, "two, three]}\n  c: {terms: ["four", five]}\n', 2, 20, "the quote that begins here"),
    ("a: [one, 'two, three]\nb: ['four', five]\n", 1, 10, "the quote that begins here"),
    ('a: [one, "two]\nb: ", and"\nc: d\n', 1, 10, "the quote that begins here"),
    ('a:\n  - "one\n  - "two"\n', 2, 5, "the quote that begins here"),
    ('é: ü\ntitle: "abc\nother: "x"\n', 2, 8, "the quote that begins here"),
    ('a: "/HS \\d/"\n', 1, 9, "a backslash in double quotes"),
    ("a: b\nfoo\nc: d\n", 2, 1, "a line without 'key: value'"),
    ("---\na: b\n---\nc: d\n", 3, 1, "a second document"),
    ("a: \x01\n", 1, 4, "control character U+0001"),
    ("? [a]\n: b\n", 1, 3, "a key is a word"),
    ("[" * 30, 1, 25, "nested more than 24 deep"),
]


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(("text", "line", "column", "message"), SLIPS, ids=[repr(slip[0])[1:-1] for slip in SLIPS])
def test_each_yaml_slip_is_named_at_its_place(text: str, line: int, column: int, message: str) -> None:
    _, faults = read(text)
    assert len(faults) == 1
    assert message in faults[0].message
    assert (faults[0].line, faults[0].column) == (line, column)
    assert "\n" not in faults[0].message


def test_fault_shows_the_line_and_a_caret_under_the_place() -> None:
    _, faults = read('title: x\nwhen: "a" and b\n')
    assert str(faults[0]).startswith("rules/x.yaml:2:11: ")
    assert faults[0].excerpt == 'when: "a" and b\n          ^'


def test_caret_stands_right_under_wide_characters() -> None:
    _, faults = read("半导体: a: b\n")
    assert faults[0].excerpt == "半导体: a: b\n         ^"


def test_long_lines_are_cut_round_the_caret_and_reordering_signs_are_not_shown() -> None:
    _, faults = read("title: " + "x" * 5000 + "\u202e: bar\n")
    shown, caret = faults[0].excerpt.split("\n")
    assert len(shown) < 120 and "\u202e" not in shown
    assert shown[len(caret) - 1] == ":"


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_empty_file_is_said_to_be_empty(text: str) -> None:
    node, faults = read(text)
    assert node is None
    assert [str(fault) for fault in faults] == ["rules/x.yaml: the file is empty"]


def test_oversized_file_is_refused_unread() -> None:
    node, faults = read("a" * (document.MAX_CHARACTERS + 1))
    assert node is None
    assert "at most 8,000,000 are read" in faults[0].message


def test_byte_order_mark_is_skipped() -> None:
    node, faults = read("\ufeffa: b\n")
    assert node is not None and not faults
    assert node.pairs[0][0].text == "a"


def test_alias_bomb_multiplies_nothing() -> None:
    bomb = "a: &a [x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)},*{chr(97 + n)}]\n" for n in range(20)
    )
    node, faults = read(bomb)
    assert node is None and len(faults) == 1


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\ufeff\ufffe\uffff"), min_size=1
    ),
    st.sampled_from([None, "'", '"', "|", ">"]),
    st.booleans(),
    st.data(),
)
def test_place_of_a_character_is_right_in_every_style(
    value: str, style: str, unicode: bool, data: st.DataObject
) -> None:
    text = yaml.safe_dump({"when": value}, default_style=style, allow_unicode=unicode, width=20)
    node, _ = read(text)
    if node is None:  # the emitter may write what the reader refuses, such as a tag for an odd value
        return
    scalar = node.pairs[0][1]
    visible = [index for index, char in enumerate(scalar.text) if not char.isspace()]
    if not visible:
        return
    index = data.draw(st.sampled_from(visible))
    found = text[scalar.file.offset(*scalar.place(index)) :]
    char = scalar.text[index]
    assert found.startswith((char, "\\", "''" if char == "'" else char))


def test_columns_stay_right_in_block_form() -> None:
    node, _ = read("rules:\n  - id: a\n    when: |\n      china and\n      rusia\n")
    assert node is not None
    when = node.pairs[0][1].items[0].pairs[1][1]
    assert when.place(when.text.index("rusia")) == (5, 7)
    assert when.place(0) == (4, 7)


def test_fields_read_each_type() -> None:
    reader, faults = fields(
        "id: port-news\nkind: feed\nevery: 30m\nlimit: 7\nfull_text: yes\n"
        "tags: [a, b]\nlanguage: en\nitems:\n  - x: 1\n"
    )
    assert reader.text("id", required=True, pattern="[a-z0-9-]+") == "port-news"
    assert reader.choice("kind", ("feed", "page"), "feed") == "feed"
    assert reader.duration("every", 3600) == 1800
    assert reader.integer("limit", 5, 1, 10) == 7
    assert reader.flag("full_text") is True
    assert reader.texts("tags") == ("a", "b")
    assert reader.texts("language") == ("en",)
    assert [item.kind for item in reader.items("items")] == ["map"]
    assert reader.texts("absent") == () and reader.text("absent", "x") == "x"
    reader.finish()
    assert faults == []


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("1h", 3600), ("7d", 604800), ("2w", 1209600), ("0", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    reader, faults = fields(f"every: {text}\n")
    assert reader.duration("every") == seconds and not faults


def test_every_wrong_field_is_reported_at_once() -> None:
    reader, faults = fields(
        "id: Port News\nkind: fed\nevery: soon\nlimit: 70\n"
        "flag: maybe\ntags: {a: b}\ntitel: x\nowner:\nnames: [a, '']\n"
    )
    reader.text("id", pattern="[a-z0-9-]+")
    reader.choice("kind", ("feed", "page"))
    assert reader.duration("every", 3600) == 3600
    assert reader.integer("limit", 5, 1, 10) == 5
    assert reader.flag("flag", True) is True
    assert reader.texts("tags") == ()
    assert reader.texts("names") == ("a", "")
    reader.text("owner")
    reader.text("title", required=True)
    reader.finish()
    assert [fault.message for fault in faults] == [
        "'id' is 'Port News'; wanted: [a-z0-9-]+",
        "'kind' is 'fed'; wanted: feed, page; did you mean 'feed'?",
        "'every' is 'soon'; wanted: a number and s, m, h, d or w, as in 90s or 7d",
        "'limit' is '70'; wanted: a whole number from 1 up to 10",
        "'flag' is 'maybe'; wanted: true or false",
        "a colon and a space inside a value; put the whole in quotes",
        "'owner' has no value; give it one or remove the line",
        "this source has no 'title'",
        "unknown key 'titel' in source; did you mean 'title'?",
    ]


def test_sentence_with_a_colon_in_a_list_is_named_as_such() -> None:
    reader, faults = fields("match:\n  - Beijing: we sell no arms\n")
    assert reader.texts("match") == ()
    assert (faults[0].line, faults[0].column) == (2, 5)
    assert faults[0].message == "a colon and a space inside a value; put the whole in quotes"


def test_item_lost_to_a_comment_is_named() -> None:
    reader, faults = fields("terms:\n  - #sanctions\n")
    assert reader.texts("terms") == ()
    assert "an unquoted '#' begins a comment" in faults[0].message


def test_fields_of_something_that_is_no_map() -> None:
    reader, faults = fields("- a\n")
    assert reader.text("id", required=True) is None
    reader.finish()
    assert [fault.message for fault in faults] == ["a source is a block of 'key: value' lines"]
