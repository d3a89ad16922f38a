"""HTML to text: blocks become paragraphs, what is no text goes, and nothing hostile gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.text import clean, html_to_text, one_line, plain_text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One.</p><p>Two.</p>", "One.\n\nTwo."),
        ("One.<br>Two.", "One.\nTwo."),
        ("One.<br/><br/>Two.", "One.\n\nTwo."),
        ("<h1>Head</h1>Body", "Head\n\nBody"),
        ("<ul><li>a<li>b</ul>", "a\n\nb"),
        ("<b>bo</b>ld and <i>it</i>alic", "bold and italic"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2\n\n3"),
        ("a &amp; b &lt;c&gt; &#8212; &eacute; &nbsp; d", "a & b <c> — é d"),
        ("R&D and A&B; x&copy", "R&D and A&B; x©"),
        ("<p>1 < 2 and 3 > 2</p>", "1 < 2 and 3 > 2"),
        ("<script>evil()</script>good<style>p{}</style>", "good"),
        ("<script>if (a</b) {}</script>good", "good"),
        ("good<script>never closed", "good"),
        ("<script/>good", "good"),
        ("<head><title>T</title><body>good", "good"),
        ("<svg><title>x</title></svg>good", "good"),
        ("<noscript><img></noscript><!-- no --><?php no ?>good", "good"),
        ("<![CDATA[kept]]> <b>too</b>", "kept too"),
        ("<pre>a\n  b\n\nc</pre>", "a\nb\n\nc"),
        ("  a \n\t b <p> </p> ", "a b"),
        ("<p>中国。</p>\n<p>出口　管制</p>", "中国。\n\n出口　管制"),
        ("First.\n\nSecond\nline. &quot;x&quot;", 'First.\n\nSecond\nline. "x"'),  # no tag: text as it stands
        ("a<![foo]>b<![1]>c<![CDATet[ d]]>", "abc"),
        ('<a href="x" title="a>b">link</a>', "link"),
        ("", ""),
    ],
)
def test_html_becomes_text(markup: str, text: str) -> None:
    assert html_to_text(markup) == text


def test_plain_text_keeps_its_paragraphs() -> None:
    assert plain_text(" a \r\n b\r\n\r\n\r\n \t\r\nc\u2029d\xa0e ") == "a\nb\n\nc\n\nd e"


def test_nothing_that_no_store_can_hold_gets_through() -> None:
    assert clean("a\x00b\x1b[31mc\x9bd\ud800e\tf\ng") == "a b [31mc d\ufffde\tf\ng"
    assert html_to_text("<p>a&#0;b&#x1b;c&#xd800;</p>") == "a\ufffdbc\ufffd"


def test_a_title_is_one_line() -> None:
    assert one_line(" a\n\tb\u2028c ") == "a b c"


@given(st.text(alphabet="<>/!-[]abp&;#x\n \"'=", max_size=80))
def test_law_any_markup_becomes_tidy_text(markup: str) -> None:
    text = html_to_text(markup)
    assert text == text.strip()
    assert "\n\n\n" not in text


@given(st.text(max_size=80))
def test_law_tidying_settles(text: str) -> None:
    assert plain_text(plain_text(text)) == plain_text(text)
    plain_text(text).encode("utf-8")
