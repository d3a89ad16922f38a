"""Whatever a feed's bytes are said to be, they become the text that was meant."""

from __future__ import annotations

import pytest

from monitor.sources.encodings import to_utf8

RUSSIAN = "Экспортный контроль: новые санкции против поставщиков"
CHINESE = "出口管制：商务部公布新的两用物项清单"


def xml(text: str, encoding: str | None = None) -> str:
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>' if encoding else ""
    return f"{declaration}<rss><channel><title>{text}</title></channel></rss>"


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (xml(RUSSIAN).encode(), None, RUSSIAN),
        (xml(RUSSIAN, "utf-8").encode("utf-8-sig"), None, RUSSIAN),
        (xml(RUSSIAN, "windows-1251").encode("cp1251"), None, RUSSIAN),
        (xml(RUSSIAN, "koi8-r").encode("koi8-r"), None, RUSSIAN),
        (xml(RUSSIAN).encode("koi8-r"), "text/xml; charset=koi8-r", RUSSIAN),
        (xml(RUSSIAN, "utf-16").encode("utf-16"), None, RUSSIAN),
        (xml(RUSSIAN, "utf-16").encode("utf-16-be"), None, RUSSIAN),
        (xml(RUSSIAN, "utf-16").encode("utf-16-le"), "application/xml", RUSSIAN),
        (xml(RUSSIAN).encode("utf-32"), None, RUSSIAN),
        (xml(CHINESE, "gb2312").encode("gb18030"), None, CHINESE),
        (xml(CHINESE, "gbk").encode("gbk"), "text/xml", CHINESE),
        (xml("輸出管理 兩用物項", "big5").encode("big5"), None, "輸出管理 兩用物項"),
        (xml("輸出規制リスト①", "Shift_JIS").encode("cp932"), None, "輸出規制リスト①"),
        (xml("輸出規制", "iso-2022-jp").encode("iso-2022-jp"), None, "輸出規制"),
        (xml("수출 통제", "euc-kr").encode("cp949"), None, "수출 통제"),
        (xml("Präsident – „heute“", "iso-8859-1").encode("cp1252"), None, "Präsident – „heute“"),
        # said to be one thing, in truth another
        (xml(RUSSIAN, "windows-1251").encode(), None, RUSSIAN),
        (xml(RUSSIAN, "utf-8").encode(), "text/xml; charset=iso-8859-1", RUSSIAN),
        (xml(RUSSIAN, "utf-8").encode(), "text/xml; charset=us-ascii", RUSSIAN),
        (xml(RUSSIAN, "utf-16").encode(), None, RUSSIAN),
        (xml(RUSSIAN, "utf-8").encode("cp1251"), "text/xml; charset=windows-1251", RUSSIAN),
        (xml("Präsident heute", "utf-8").encode("cp1252"), None, "Präsident heute"),
        (xml(RUSSIAN).encode() + b"\xd0", None, RUSSIAN),
        (xml(RUSSIAN + "\0", "utf-8").encode().replace(b"\0", b"\xe9"), None, RUSSIAN),
        # no encoding of documents at all
        (xml(RUSSIAN, "zip").encode(), None, RUSSIAN),
        (xml(RUSSIAN, "idna").encode(), None, RUSSIAN),
        (xml("a\\u0041", "unicode_escape").encode(), None, "a\\u0041"),
        (xml(RUSSIAN, "nonsense-8").encode(), "text/xml; charset=", RUSSIAN),
    ],
)
def test_the_text_that_was_meant(body: bytes, content_type: str | None, text: str) -> None:
    assert text in to_utf8(body, content_type)[0].decode("utf-8")


@pytest.mark.parametrize(
    ("body", "odd"),
    [
        (xml(RUSSIAN, "utf-8").encode(), None),
        (xml(RUSSIAN, "koi8-r").encode("koi8-r"), None),
        (xml(RUSSIAN, "windows-1251").encode(), "declared as cp1251, but it is UTF-8"),
        (xml(RUSSIAN, "utf-8").encode() + b"\xd0", "1 damaged signs in its UTF-8"),
        (xml("Präsident", "utf-8").encode("cp1252"), "not utf-8 as declared; read as windows-1252"),
        (xml("Präsident").encode("cp1252"), "its encoding is not declared; read as windows-1252"),
    ],
)
def test_what_is_odd_is_said(body: bytes, odd: str | None) -> None:
    assert to_utf8(body, None)[1] == odd
