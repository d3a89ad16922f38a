"""Documents from JSON Lines: what a line may cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.cli import documents


@pytest.mark.parametrize("end", [b"\n", b""])
def test_of_a_line_that_is_too_long_no_more_is_held_than_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    monkeypatch.setattr(documents, "MAX_LINE", 20)
    file = tmp_path / "lines.jsonl"
    file.write_bytes(b'{"text":"a"}\n\n{"text":"' + b"x" * 100 + b'"}\n{"text":"b"}' + end)
    lines = list(documents.read_lines(str(file)))
    assert [(number, len(line)) for number, line in lines] == [(1, 13), (3, 21), (4, 12 + len(end))]
    read = [documents.document_of(number, line) for number, line in lines]
    assert [line.document.text if line.document else line.wrong for line in read] == [
        "a", "more than 20 bytes, so it is not read", "b",
    ]  # fmt: skip
