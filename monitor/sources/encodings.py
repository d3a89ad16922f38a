"""Bytes of a feed to UTF-8: what they can be counts for more than what they are said to be."""

from __future__ import annotations

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WITHOUT_BOM = (
    (b"<\0\0\0", "utf-32-le"), (b"\0\0\0<", "utf-32-be"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"),
    (b"{\0", "utf-16-le"), (b"\0{", "utf-16-be"), (b"\x4c\x6f\xa7\x94", "cp037"),
)  # fmt: skip
# The declared one is a subset of what its users really write.
_WIDER = {
    "ascii": "utf-8", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030",
    "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs", "tis-620": "cp874",
}  # fmt: skip
# Codecs that are no text encodings of documents, or that take quadratic time.
_REFUSED = frozenset(("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7", "mbcs", "oem"))
_SHIFTED = ("iso2022", "hz")  # encodings whose bytes are all ASCII
_HTTP_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{2,40})""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""^\s*<\?xml[^>]{0,200}?\bencoding\s*=\s*["']([\w.:-]{2,40})["']""")
_MULTI_BYTE = re.compile(rb"[\xc2-\xf4][\x80-\xbf]+")
SURE = 8  # multi-byte signs; so many that are sound UTF-8 are no accident


def to_utf8(body: bytes, content_type: str | None) -> tuple[bytes, str | None]:
    """The body in UTF-8 without BOM, and what was odd about its encoding, in words."""
    for mark, name in _BOMS:
        if body.startswith(mark):
            return _recode(body[len(mark) :], name), None
    for start, name in _WITHOUT_BOM:
        if body.startswith(start):
            return _recode(body, name), None
    declared = _declared(body, content_type)
    shifted = [name for name in declared if name.startswith(_SHIFTED)]
    if not shifted and _is_utf8(body):
        if body.isascii() or not declared or declared[0] == "utf-8":
            return body, None
        if len(_MULTI_BYTE.findall(body)) >= SURE:
            return body, f"declared as {declared[0]}, but it is UTF-8"
    for name in declared:
        try:
            return body.decode(name).encode("utf-8", "replace"), None
        except UnicodeDecodeError:
            continue
    return _guessed(body, declared)


def _declared(body: bytes, content_type: str | None) -> list[str]:
    in_http = _HTTP_CHARSET.search(content_type or "")
    in_xml = _XML_ENCODING.match(body[:300])
    written = [in_http[1] if in_http else "", in_xml[1].decode("ascii", "replace") if in_xml else ""]
    return [name for name in dict.fromkeys(map(_codec, written)) if name]


def _codec(name: str) -> str:
    try:
        found = codecs.lookup(name).name if name else ""
    except LookupError:
        return ""
    if found in _REFUSED or found.startswith(("utf-16", "utf-32")):  # without BOM or zero bytes, it is not
        return ""
    try:
        b"".decode(found)
    except LookupError:  # rot13, zip and other codecs that are none of text
        return ""
    return _WIDER.get(found, found)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _guessed(body: bytes, declared: list[str]) -> tuple[bytes, str]:
    said = f"not {declared[0]} as declared" if declared else "its encoding is not declared"
    text = body.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    if len(_MULTI_BYTE.findall(body)) >= 4 * damaged:  # cut in the midst of a sign, or one pasted from elsewhere
        return text.encode("utf-8"), f"{damaged} damaged signs in its UTF-8"
    return _recode(body, "cp1252"), f"{said}; read as windows-1252"


def _recode(body: bytes, name: str) -> bytes:
    return body.decode(name, "replace").encode("utf-8", "replace")
