"""The HTML part: layout tables, inline styles, a dark scheme, under 100 KB whatever the digest holds."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from monitor.core.digests import Digest
from monitor.core.receipts import SHOWN, THEMES
from monitor.receivers.render.page import FULL, LISTED, page_of
from monitor.receivers.render.receipt import receipt_page

MOST_BYTES = 98_000  # Gmail cuts a message off at 102 KB
_STEPS = ((FULL, LISTED), (30, 60), (20, 50), (12, 40), (6, 20), (2, 8), (1, 3))  # stories in full, stories in a line
_RECEIPT_STEPS = ((THEMES, SHOWN), (THEMES, 2), (6, 2), (3, 1), (1, 1))  # themes, items of each list

SEVERITIES = {
    # background and text of the badge, 4.5:1 at least; the same in both schemes
    "critical": ("#a4133c", "#ffffff"),
    "high": ("#b54708", "#ffffff"),
    "medium": ("#1f5fbf", "#ffffff"),
    "low": ("#4b5b6b", "#ffffff"),
    "info": ("#4b5b6b", "#ffffff"),
}
LIGHT = {
    "page": "#eef1f4", "card": "#ffffff", "text": "#1b2733", "soft": "#53616f", "link": "#0b57a4", "line": "#dde3e9",
    "mark": "#fff0a8", "marked": "#1b2733", "warn": "#8a4600",
}  # fmt: skip
DARK = {
    "page": "#0f1419", "card": "#1a2129", "text": "#e6ebf0", "soft": "#a3b1bf", "link": "#8abfff", "line": "#323d48",
    "mark": "#6b5600", "marked": "#fff6d6", "warn": "#ffc078",
}  # fmt: skip


def render_html(digest: Digest, composed_at: datetime) -> str:
    """The digest as one HTML document; with fewer stories in full where it would grow too large."""
    html = ""
    if digest.receipt:
        for themes, items in _RECEIPT_STEPS:
            receipt = receipt_page(digest, digest.receipt, composed_at, themes=themes, items=items)
            html = _template("receipt.html").render(page=receipt, light=LIGHT, dark=DARK)
            if len(html.encode()) <= MOST_BYTES:
                break
        return html
    for full, listed in _STEPS:
        page = page_of(digest, composed_at, full=full, listed=listed)
        html = _template("digest.html").render(page=page, severities=SEVERITIES, light=LIGHT, dark=DARK)
        if len(html.encode()) <= MOST_BYTES:
            break
    return html


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)
