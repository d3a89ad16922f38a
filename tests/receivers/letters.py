"""Digests and messages to render and to send."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from monitor.core import digests
from monitor.core.digests import Digest
from monitor.core.entries import Arrival
from monitor.matching.model import Severity
from monitor.ports import Message
from tests.pipeline.desk import Desk, book, outbox

COMPOSED = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)

SCRIPTS = (
    (
        "en",
        "Ministry adds twelve machine-tool makers to the export control list",
        "The ministry said on Tuesday that twelve makers of machine tools were added. Several shipped CNC controllers "
        "through third countries to buyers in Russia.",
        ("machine tools", "CNC", "Russia"),
    ),
    (
        "ru",
        "Станки с ЧПУ поступают на заводы в обход санкций",
        "По данным таможни, импорт станков из Китая вырос вдвое. Поставки идут через посредников.",
        ("станков", "Китая", "Поставки"),
    ),
    (
        "zh",
        "商务部公布两用物项出口管制清单，涉及机床与半导体设备",
        "商务部周二公布了新的两用物项出口管制清单。清单涉及高精度机床、半导体制造设备，对俄罗斯的出口须事先取得许可。",
        ("两用物项", "机床", "俄罗斯"),
    ),
    (
        "ar",
        "وزارة التجارة تعلن قيودا جديدة على تصدير أشباه الموصلات",
        "أعلنت وزارة التجارة قيودا جديدة على تصدير أشباه الموصلات. وتشمل القيود الشحنات المتجهة إلى روسيا.",
        ("أشباه الموصلات", "روسيا"),
    ),
)
SEVERITIES = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)


def digest(*stories: dict[str, Any], receiver: str = "file") -> Digest:
    """The digest over these stories (arguments of `Desk.alert`); without any, over one."""
    desk = Desk(book(outbox(receiver)))
    for story in stories or ({"title": "A crane fell in the harbour", "url": "https://news.example.org/crane"},):
        desk.alert(**story)
    return desk.composer.preview(receiver, desk.clock())


def four_scripts(count: int) -> Digest:
    """So many stories in English, Russian, Chinese and Arabic by turns, of falling severity."""
    stories = []
    for number in range(count):
        language, title, text, words = SCRIPTS[number % 4]
        stories.append(
            {
                "title": f"{title} ({number + 1})",
                "text": text,
                "words": words,
                "language": language,
                "severity": SEVERITIES[min(3, number * 4 // count)],
                "source_id": f"source-{number % 7}",
                "url": f"https://www.news.example.org/{language}/{number}",
                "arrival": Arrival.ALREADY_THERE if number % 10 == 9 else Arrival.NEW,
            }
        )
    return digest(*stories)


def message(content: Digest | None = None, recipient: str = "a@example.org") -> Message:
    """A delivery of a digest."""
    content = content or digest()
    return Message(
        delivery_id="dlv-0123456789abcdef0123",
        digest_id=content.digest_id,
        recipient=recipient,
        composed_at=COMPOSED,
        content=digests.encode(content)[0],
    )
