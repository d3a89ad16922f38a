"""The HTML part: what a mail program may make of it, and what no title can make of it."""

import re
from html.parser import HTMLParser

import pytest

from monitor.core.digests import Digest
from monitor.receivers.render.html import DARK, LIGHT, MOST_BYTES, SEVERITIES, render_html
from tests.receivers.letters import COMPOSED, digest, four_scripts

VOID = {"meta", "br", "img", "hr", "link", "input"}


class Tree(HTMLParser):
    """Every element with its attributes and the text directly in it; complains of what does not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str], str]] = []
        self._open: list[int] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}, ""))
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        place = self._open.pop()
        assert self.elements[place][0] == tag, f"</{tag}> closes <{self.elements[place][0]}>"

    def handle_data(self, data: str) -> None:
        if self._open:
            tag, attributes, text = self.elements[self._open[-1]]
            self.elements[self._open[-1]] = (tag, attributes, text + data)

    def of(self, tag: str) -> list[tuple[dict[str, str], str]]:
        return [(attributes, text) for name, attributes, text in self.elements if name == tag]

    def marked(self) -> list[str]:
        return [text for attributes, text in self.of("span") if attributes.get("class") == "mark"]


def tree(content: Digest) -> Tree:
    return Tree(render_html(content, COMPOSED))


def test_matched_words_are_marked_and_the_headline_is_a_link():
    page = tree(digest({"title": "A crane fell", "text": "The crane is old.", "url": "https://news.example.org/crane"}))
    assert page.marked() == ["crane", "crane"]
    assert {attributes["href"] for attributes, _ in page.of("a")} == {"https://news.example.org/crane"}


def test_every_item_names_its_language_and_direction():
    page = tree(four_scripts(4))
    said = [(attributes["lang"], attributes["dir"]) for attributes, _ in page.of("h3")]
    assert said == [("en", "ltr"), ("ru", "ltr"), ("zh", "ltr"), ("ar", "rtl")]
    assert [attributes["dir"] for attributes, _ in page.of("blockquote")] == ["ltr", "ltr", "ltr", "rtl"]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "JaVaScRiPt:alert(1)", "ftp://a.example.org/x", " javascript:x",
            "https://a.example.org/\" onclick=\"x", "https://user@a.example.org/", "//a.example.org/x", "https:", None],
)  # fmt: skip
def test_only_web_addresses_become_links(url: str | None):
    page = tree(digest({"title": "A crane fell", "url": url}))
    assert page.of("a") == []
    assert "A " in "".join(text for _, text in page.of("h3"))


@pytest.mark.parametrize(
    "title",
    ["<script>alert(1)</script> crane", "crane {{7*7}} {% include 'x' %}", "\"><img src=x onerror=alert(1)> crane",
     "</style><style>*{display:none}</style> crane", "crane --> <!-- "],
)  # fmt: skip
def test_markup_in_titles_is_text(title: str):
    page = tree(digest({"title": title, "text": f"{title}. And more.", "words": (), "source_id": "a<b>"}))
    tags = {tag for tag, _, _ in page.elements}
    assert not tags & {"script", "img", "iframe", "object"}
    assert len(page.of("style")) == 1
    assert not any(name.startswith("on") for _, attributes, _ in page.elements for name in attributes)
    assert " ".join(title.split()) in [text for _, text in page.of("a")]


@pytest.mark.parametrize("count", [1, 40, 200, 400])
def test_it_stays_under_what_mail_programs_cut_off(count: int):
    html = render_html(four_scripts(count), COMPOSED)
    assert len(html.encode()) <= MOST_BYTES
    assert ("more:" in html) == (count > 80)


def test_it_stays_small_with_the_longest_of_everything():
    long = {
        "title": "机床 " * 400,
        "text": "机床" * 3000,
        "words": ("机床",),
        "url": "https://www.example.org/" + "a" * 1900,
        "source_id": "s" * 200,
    }
    stories = [{**long, "title": f"{number} {long['title']}"} for number in range(120)]
    assert len(render_html(digest(*stories), COMPOSED).encode()) <= MOST_BYTES


def test_what_does_not_fit_is_listed_and_then_counted():
    page = tree(four_scripts(400))
    listed = {text.strip() for attributes, text in page.of("a")} | {text.strip() for attributes, text in page.of("h3")}
    assert len(listed) >= 70
    assert any(text.startswith("+") and "more" in text for _, text in page.of("p"))


def test_layout_tables_say_that_they_are_none():
    assert all(attributes.get("role") == "presentation" for attributes, _ in tree(four_scripts(3)).of("table"))


def test_nothing_is_loaded_from_anywhere():
    html = render_html(four_scripts(8), COMPOSED)
    assert not re.search(r"(?i)src=|url\(|@import|<link", html)


def luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_stands_out_from_its_ground(scheme: dict[str, str]):
    for role in ("text", "soft", "link", "warn"):
        assert contrast(scheme[role], scheme["card"]) >= 4.5, role
    assert contrast(scheme["marked"], scheme["mark"]) >= 4.5
    for ground, text in SEVERITIES.values():
        assert contrast(ground, text) >= 4.5


def test_the_dark_scheme_covers_every_coloured_element():
    for _, attributes, _ in tree(four_scripts(8)).elements:
        style = attributes.get("style", "")
        if "color:" in style and "text-transform" not in style and "display:none" not in style:
            assert attributes.get("class"), style
