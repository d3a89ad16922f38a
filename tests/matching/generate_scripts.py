"""What rule books and texts are generated from: ten scripts, with terms, words near to them, and ways to spoil them."""

from __future__ import annotations

from dataclasses import dataclass


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
SPACES = (" ", "  ", "\n", "\u00a0", "\u3000", " - ", "\t", "    ", "\n\n", "\n \n")
BLANKS = ("", "", "", "", "", " ", "\n", "\n\n", " \n\n", "\n \t\n  ")
"""What stands before, between or after the paragraphs of a text."""
QUOTES = ("'", "’", "‘", "ʼ", "＇", "")
WATCHED = (
    "Vegatron Ltd", "Nova* Parts?", "Ren-Tec Co., Ltd.", "IT", "Mir", "O'Brien & Sons", "Überlauf GmbH", "=US", "/Mk1/",
    "Звезда ООО", "Мир", "星光科技有限公司", "中国", "한국 기업", "5G",
)  # fmt: skip
