"""What commands print, made harmless for a terminal without a change for scripts."""

from __future__ import annotations

import json
import unicodedata

from monitor.cli.output import clean, json_text

UNSEEN = "".join(
    char for char in map(chr, range(0x10000)) if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp")
) + "\U000e0001\U000e0041"  # fmt: skip


def test_json_shows_no_sign_that_could_drive_a_terminal() -> None:
    shown = json_text({"url": f"https://example.org/{UNSEEN}", "title": "商务部 министерство وزارة 🚢"})
    assert json.loads(shown) == {"url": f"https://example.org/{UNSEEN}", "title": "商务部 министерство وزارة 🚢"}
    assert shown == clean(shown)
    assert "商务部 министерство وزارة 🚢" in shown
