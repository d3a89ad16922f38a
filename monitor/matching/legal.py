"""Legal forms at the end of a firm's name, which a text may leave out."""

from __future__ import annotations

import re
from typing import Final

_SPACED: Final = (
    "co", "company", "companies", "corp", "corporation", "inc", "incorporated", "ltd", "limited", "llc", "l.l.c", "llp",
    "lp", "plc", "pte", "pty", "sdn", "bhd", "gmbh", "mbh", "kg", "kgaa", "ag", "ug", "se", "sa", "s.a", "sas", "s.a.s",
    "sarl", "s.a.r.l", "srl", "s.r.l", "spa", "s.p.a", "snc", "sl", "s.l", "slu", "ltda", "cia", "c.v", "de c.v",
    "s.a. de c.v", "bv", "b.v", "nv", "n.v", "oy", "oyj", "ab", "as", "a/s", "asa", "aps", "a.s", "a.ş", "san", "tic",
    "şti", "kft", "zrt", "nyrt", "s.r.o", "spol. s r.o", "sp. z o.o", "d.o.o", "d.d", "ad", "ead", "ood", "eood",
    "oü", "uab", "sia", "jsc", "ojsc", "cjsc", "pjsc", "pao", "oao", "zao", "ooo", "ao", "tov", "too", "fze", "fzco",
    "fzc", "fz-llc", "dmcc", "wll", "k.k", "kk", "g.k", "ооо", "оао", "зао", "пао", "ао", "нао", "тов", "прат", "ат",
    "тоо", "чп", "ип", "ак",
)  # fmt: skip
_GLUED: Final = (
    "有限责任公司", "有限責任公司", "股份有限公司", "集团有限公司", "集團有限公司", "有限公司", "公司", "株式会社",
    "有限会社", "合同会社", "주식회사", "유한회사",
)  # fmt: skip

_FORM: Final = re.compile(
    r"(?:(?<!&)(?<!&\s)[\s,]+(?:{})\.?|[\s,]*(?:{}))$".format(
        "|".join(re.escape(form) for form in sorted(_SPACED, key=len, reverse=True)), "|".join(_GLUED)
    ),
    re.IGNORECASE,
)


def without_legal_form(name: str) -> str:
    """The name without what says only how the firm is constituted: `Foo Trading Co., Ltd.` → `Foo Trading`."""
    core = name.strip()
    while (shorter := _FORM.sub("", core).rstrip(" ,.")) != core and len(shorter) > 1:
        core = shorter
        if not _FORM.search(core):
            break
    return core
