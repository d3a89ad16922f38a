"""Which words are language codes, so that a misspelt key of a concept is not taken for one."""

from __future__ import annotations

import re
from typing import Final

_TAG: Final = re.compile(r"([a-z]{2,3})(?:-[A-Za-z0-9]{2,8})*")

_TWO_LETTERS: Final = """
aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es
et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki
kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no
nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw ta
te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
_THREE_LETTERS: Final = """
aeb apc arq ary arz ast bho ceb ckb cmn crh dsb fil fuv gsw hak haw hil hmn hne hsb hyw ilo kab kmr knn kok lez lij mai
mhr mni mnw myv nan nds nso pap pcm pnb prs quz rue sah sco scn shn skr syr szl tyv udm wuu yue zgh zlm zsm
"""

CODES: Final = frozenset((_TWO_LETTERS + _THREE_LETTERS).split())
"""ISO 639-1, and of ISO 639-3 what news is written in that has no code of two letters."""


def is_language(word: str) -> bool:
    """Whether a word is a language tag: a known code, as `zh`, with or without what narrows it, as `zh-Hans`."""
    found = _TAG.fullmatch(word)
    return found is not None and found[1] in CODES


def may_be_language(word: str) -> bool:
    """Whether a word is spelt as a language tag is."""
    return _TAG.fullmatch(word) is not None
