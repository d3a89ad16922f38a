"""What the local feeds publish: a ministry in English, a press outlet in Russian, one in Chinese.

Invented for these tests, in the form and size of the real thing. `QUIET` items are off the shipped theme on purpose;
each language has one item on it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class Item:
    """One thing a feed publishes. `paragraphs` become its HTML body."""

    key: str
    title: str
    paragraphs: tuple[str, ...]
    published: datetime
    author: str = ""
    categories: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return "\n\n".join(self.paragraphs)


_MINISTRY_TITLES = (
    "Consultation opens on the reform of licensing fees",
    "Statistical bulletin: trade in goods, third quarter",
    "New online form for temporary export of works of art",
    "Minister receives the board of the chamber of shipping",
    "Notice to exporters: office hours during the holidays",
    "Call for evidence on the origin of recycled aluminium",
    "Annual report of the licensing office laid before parliament",
    "Agreement on mutual recognition of organic labels signed",
    "Seminar for small firms on customs valuation",
    "Correction to the guidance on preferential origin",
    "Appointment of members to the trade advisory council",
    "Anti-dumping review on ceramic tiles: provisional findings",
    "Grants for port digitalisation: results of the second round",
    "Visit of a delegation of wine growers to the ministry",
    "Tariff quota for frozen fish: third allocation",
    "Public hearing on single-use plastics in packaging",
    "Changes to the schedule of laboratory fees",
    "Guidance updated: declarations for returned goods",
    "Award for the best apprenticeship in freight forwarding",
    "Working group on paperless transit meets for the ninth time",
    "Publication of the list of authorised warehouse keepers",
    "Explanatory note on the classification of solar lamps",
    "Trade fair calendar for the coming year",
    "Survey of exporters: two thirds expect stable orders",
    "Notice on the use of electronic seals on containers",
    "Report on market access for dairy products",
    "Tender: maintenance of the tariff database",
    "Simplified procedure for spare parts of ferries",
    "Youth parliament discusses fair trade at the ministry",
    "Reminder: end of the transition period for paper licences",
    "Bilateral talks on aviation services conclude",
    "Information day on the textile labelling rules",
    "Decision on the safeguard duty for steel tubes",
    "Accession of two members to the pan-regional convention",
    "New contact point for questions of geographical indications",
    "Quarterly figures on licences granted and refused",
    "Cooperation with the national library on trade archives",
    "Amendment of the fee order published in the gazette",
    "Workshop on supply chains of medical gloves",
    "Opening of the renovated public reading room",
)  # fmt: skip

_MINISTRY_BODY = (
    "{title}. The ministry published the details today; the full document is available in the register under the "
    "number given at the end of this notice.",
    "Firms concerned may send comments in writing within six weeks. Contributions are published unless their authors "
    "ask for confidential treatment and give reasons. A summary of the replies will follow in the next quarter.",
    "The change takes effect on the first day of the month after publication. Applications received before that date "
    "are handled under the earlier rules, so that no pending case has to be filed again.",
    "Background: the licensing office handles some eleven thousand applications a year, of which nine in ten are "
    "decided within four weeks. Figures by sector and by month are part of the annual report.",
)

_RUSSIAN = (
    ("Музей транспорта открыл выставку старых трамваев", "В экспозиции представлены двенадцать вагонов начала прошлого "
     "века. Выставка продлится до конца месяца, вход для школьников свободный."),
    ("В области завершён сезон паромных перевозок", "Последний рейс прошёл по расписанию. За лето паромы перевезли "
     "более ста тысяч пассажиров, что на семь процентов больше, чем годом ранее."),
    ("Цены на гречку снизились третий месяц подряд", "Статистическое ведомство связывает снижение с хорошим урожаем. "
     "Эксперты рынка ожидают, что зимой цены останутся стабильными."),
    ("Городской оркестр представил программу сезона", "В программе двадцать концертов, среди них четыре премьеры. "
     "Билеты поступят в продажу на следующей неделе."),
    ("Синоптики обещают снег к выходным", "Ночью температура опустится до минус шести. Дорожные службы переведены на "
     "усиленный режим работы."),
    ("Шахматный турнир собрал рекордное число участников", "За досками встретились более трёхсот игроков. Турнир "
     "проходит в седьмой раз и продлится пять дней."),
    ("Университет запустил курс по истории картографии", "Лекции будут доступны всем желающим. Первая встреча "
     "состоится в читальном зале библиотеки."),
    ("Реставраторы закончили работу над фасадом вокзала", "Работы длились два года. Вокзалу вернули первоначальный "
     "цвет, найденный под слоями поздней краски."),
)  # fmt: skip

_CHINESE = (
    (
        "市图书馆延长周末开放时间",
        "市图书馆宣布，从下月起周末开放时间延长两个小时。读者可以通过网站预约座位，也可以到现场取号。",
    ),
    ("今年柑橘产量创五年新高", "农业部门公布的数字显示，今年柑橘产量比去年增加百分之八。果农表示，品质也好于往年。"),
    ("地铁七号线试运行", "地铁七号线昨日开始试运行，全长二十一公里，共设十六个车站。正式运营时间将另行公布。"),
    ("古城墙修缮工程通过验收", "历时三年的古城墙修缮工程通过验收。专家组认为，工程保留了原有的砖石和工艺。"),
    ("青少年围棋赛开幕", "来自各地的两百多名小棋手参加比赛。赛事共进行九轮，前三名将获得奖杯。"),
    ("气象台发布大风预报", "受冷空气影响，未来三天沿海地区有七到八级大风，请出海船只注意安全。"),
    ("博物馆展出馆藏青铜器", "展览共展出一百二十件青铜器，其中三十件为首次公开展出。展期三个月。"),
    ("新茶上市价格平稳", "记者走访市场了解到，今年新茶价格与去年基本持平，部分品种略有下降。"),
)

_WHO = ("A broker", "Two dealers", "The office", "Customs", "An agent", "Their bank", "Auditors", "A carrier")
_DID = ("counted", "declared", "returned", "insured", "sealed", "weighed", "invoiced", "held back")
_WHAT = ("crates", "spindles", "permits", "invoices", "pallets", "gearboxes", "ledgers", "barrels of coolant")
_WHERE = (
    "at the old quay",
    "near Poti",
    "in bond",
    "by rail",
    "on the ferry",
    "in Mersin",
    "under tarpaulin",
    "upriver",
)
_WHEN = ("in March", "last autumn", "on Friday", "before the audit", "at dawn", "twice", "in week nine", "since May")

ON_THEME = {
    "ministry": (
        "Sanctions notice: machine tools diverted to Russia",
        (
            "Chinese firms shipped machine tools, semiconductors and other dual-use items to Russia, the licensing "
            "office found after inspecting customs records of two years.",
            "Exporters are asked to check end users of computer-controlled lathes with particular care.",
        ),
    ),
    "outlet": (
        "Китай поставляет России станки и товары двойного назначения",
        (
            "Китайские компании поставляют России станки, полупроводники и другие товары двойного назначения, следует "
            "из таможенных данных за два года.",
            "Значительная часть поставок идёт через посредников в Гонконге.",
        ),
    ),
    "chinese": (
        "海关数据显示中国向俄罗斯出口两用物项",
        (
            "海关数据显示，中国企业向俄罗斯供应机床、半导体和其他两用物项，其中一部分经香港转运。",
            "业内人士说，相关出口在过去两年明显增加。",
        ),
    ),
}


def ministry(now: datetime) -> list[Item]:
    """Forty press notices, the newest a few hours old."""
    return [
        Item(
            key=f"notice-{len(_MINISTRY_TITLES) - n:04d}",
            title=title,
            paragraphs=tuple(paragraph.format(title=title) for paragraph in _MINISTRY_BODY),
            published=_whole(now) - timedelta(hours=3 + 31 * n),
            author="press office",
            categories=("trade",),
        )
        for n, title in enumerate(_MINISTRY_TITLES)
    ]


def outlet(now: datetime) -> list[Item]:
    """Eight items of a press outlet in Russian."""
    return _plain("vesti", _RUSSIAN, now)


def chinese(now: datetime) -> list[Item]:
    """Eight items of a press outlet in Chinese."""
    return _plain("xw", _CHINESE, now)


def on_theme(outlet_name: str, now: datetime, suffix: str = "") -> Item:
    """An item that the shipped theme must flag. `suffix` makes further ones, each its own entry."""
    title, paragraphs = ON_THEME[outlet_name]
    return Item(f"flagged-{outlet_name}{suffix}", title + suffix, paragraphs, _whole(now) - timedelta(minutes=4))


def numbered(n: int, now: datetime, *, flagged: bool) -> Item:
    """The nth of many items, each a text of its own; a flagged one meets the shipped theme."""
    title = f"Notice {n}: " + ("machine tools for Russia" if flagged else _MINISTRY_TITLES[n % len(_MINISTRY_TITLES)])
    lead = "Chinese firms shipped machine tools, semiconductors and other dual-use items to Russia. " if flagged else ""
    body = (f"Item number {n}.", lead + _findings(n, 4), _findings(n + 1_000_000, 5))
    return Item(f"numbered-{n:05d}", title, body, _whole(now) - timedelta(minutes=2))


def _findings(seed: int, sentences: int) -> str:
    """Sentences as inspectors write them, from few words and yet no two alike."""
    chance = random.Random(seed)
    pick = chance.choice
    return " ".join(
        f"{pick(_WHO)} {pick(_DID)} {chance.randint(2, 900)} {pick(_WHAT)} {pick(_WHERE)} {pick(_WHEN)}."
        for _ in range(sentences)
    )


def utc_now() -> datetime:
    return datetime.now(UTC)


def _plain(prefix: str, pairs: tuple[tuple[str, str], ...], now: datetime) -> list[Item]:
    return [
        Item(f"{prefix}-{len(pairs) - n}", title, (text,), _whole(now) - timedelta(hours=2 + 7 * n))
        for n, (title, text) in enumerate(pairs)
    ]


def _whole(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)
