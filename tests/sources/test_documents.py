"""Local documents to entries, and folders to what is new in them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import json
import os
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from monitor.core.entries import ParsedEntry, ParsedFeed
from monitor.ports import DocumentsRead, FetchFailed
from monitor.sources.documents import parse_bytes, parse_document, split_title
from monitor.sources.seeds import Documents
from monitor.sources.unreadable import Unreadable
from monitor.sources.worker import Job, perform
from monitor.sources.workers import NoParser, Workers


def read(tmp_path: Path, name: str, body: bytes | str) -> ParsedFeed:
    path = tmp_path / name
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    return parse_document(str(path), name)


def one(feed: ParsedFeed) -> ParsedEntry:
    assert len(feed.entries) == 1
    return feed.entries[0]


def refused(tmp_path: Path, name: str, body: bytes | str) -> str:
    with pytest.raises(Unreadable) as caught:
        read(tmp_path, name, body)
    return str(caught.value)


# --- text


@pytest.mark.parametrize(
    ("text", "title", "rest"),
    [
        ("A title\n\nThe text.\n\nMore.", "A title", "The text.\n\nMore."),
        ("A title\nThe text.", "A title", "The text."),
        ("Only this.", "Only this.", "Only this."),
        ("word " * 100 + "\n\nMore.", "word " * 23 + "word…", "word " * 100 + "\n\nMore."),
    ],
)
def test_the_first_line_is_the_title(text: str, title: str, rest: str) -> None:
    assert split_title(text) == (title, rest)


def test_plain_text(tmp_path: Path) -> None:
    entry = one(read(tmp_path, "a.txt", "\ufeffБлинкен\r\n\r\nТекст  и\r\nстроки.\r\n"))
    assert (entry.title, entry.text, entry.path, entry.raw_id) == ("Блинкен", "Текст и\nстроки.", "a.txt", None)


def test_plain_text_in_an_old_encoding(tmp_path: Path) -> None:
    assert one(read(tmp_path, "a.txt", "Grüße\n\nfür „alle“".encode("cp1252"))).text == "für „alle“"


@pytest.mark.parametrize(
    ("text", "title", "body"),
    [
        ("# Head\n\nBody *text*.", "Head", "Body *text*."),
        ("Head\n====\n\nBody.", "Head", "Body."),
        ("---\ntitle: 'Front'\ntags: x\n---\n\n# Head\n\nBody.", "Front", "Body."),
        ("First line\n\nBody.", "First line", "Body."),
        ("## Head ##\nBody.", "Head", "Body."),
        ("Head\n---  \nBody.", "Head", "Body."),
        ("#No head\nBody.", "#No head", "Body."),
        ("# ", "#", "#"),
    ],
)
def test_markdown(tmp_path: Path, text: str, title: str, body: str) -> None:
    entry = one(read(tmp_path, "a.md", text))
    assert (entry.title, entry.text) == (title, body)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("name", "text"),
    [("a.md", "# a" + " " * 60_000 + "x\n\nBody."), ("a.md", "a" + " " * 60_000 + "x\n"), ("a.html", "<h1>x" * 60_000)],
)
def test_text_made_to_be_slow_to_read_is_read(tmp_path: Path, name: str, text: str) -> None:
    assert one(read(tmp_path, name, text)).text


def test_html(tmp_path: Path) -> None:
    page = """<!doctype html><html lang="de"><head><meta charset="windows-1252"><title>Köpfe &amp; Titel</title>
    <meta property="article:published_time" content="2026-03-11T10:00:00+01:00"><meta name="author" content="A. B.">
    <link rel="canonical" href="https://x.example/a"></head><body><script>no()</script><p>Eins.</p><p>Zwei.</p></body>"""
    entry = one(read(tmp_path, "a.html", page.encode("cp1252")))
    assert (entry.title, entry.text, entry.author, entry.language) == ("Köpfe & Titel", "Eins.\n\nZwei.", "A. B.", "de")
    assert (entry.url, entry.published) == ("https://x.example/a", datetime(2026, 3, 11, 9, tzinfo=UTC))


def test_mail(tmp_path: Path) -> None:
    message = EmailMessage()
    message["From"] = "Desk <desk@example.org>"
    message["Subject"] = "Прибытие груза"
    message["Date"] = "Wed, 11 Mar 2026 10:00:00 +0100"
    message["Message-ID"] = "<1@example.org>"
    message.set_content("Plain part.")
    message.add_alternative("<p>HTML part</p>", subtype="html")
    entry = one(read(tmp_path, "a.eml", bytes(message)))
    assert (entry.title, entry.text, entry.author, entry.raw_id) == (
        "Прибытие груза", "Plain part.", "Desk", "<1@example.org>",
    )  # fmt: skip
    assert entry.published == datetime(2026, 3, 11, 9, tzinfo=UTC)


def test_mail_of_html_alone_and_in_an_unknown_charset(tmp_path: Path) -> None:
    body = b"Subject: x\nContent-Type: text/html; charset=nonsense-8\n\n<p>One</p><p>Two</p>"
    assert one(read(tmp_path, "a.eml", body)).text == "One\n\nTwo"


def pdf(*pages: str, about: dict[str, str] | None = None, password: str | None = None) -> bytes:
    writer = pypdf.PdfWriter()
    for text in pages:
        page = writer.add_blank_page(300, 300)
        font = DictionaryObject({NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1"),
                                 NameObject("/BaseFont"): NameObject("/Helvetica")})  # fmt: skip
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        content = DecodedStreamObject()
        lines = "".join(f"({line}) Tj 0 -14 Td " for line in text.split("\n"))
        content.set_data(f"BT /F1 12 Tf 10 250 Td {lines}ET".encode())
        page[NameObject("/Contents")] = content
    if about:
        writer.add_metadata(about)
    if password:
        writer.encrypt(password)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_pdf(tmp_path: Path) -> None:
    about = {"/Title": "The report", "/Author": "A. B.", "/CreationDate": "D:20260311100000+01'00'"}
    entry = one(read(tmp_path, "a.pdf", pdf("First line\nsecond line", "Page two", about=about)))
    assert (entry.title, entry.author) == ("The report", "A. B.")
    assert entry.text == "First line\nsecond line\n\nPage two"
    assert entry.published == datetime(2026, 3, 11, 9, tzinfo=UTC)


def test_pdf_without_title(tmp_path: Path) -> None:
    entry = one(read(tmp_path, "a.pdf", pdf("The head\nand the text")))
    assert (entry.title, entry.text) == ("The head", "and the text")


def test_pdf_whose_description_is_damaged(tmp_path: Path) -> None:
    damaged = pdf("The head\nand the text", about={"/Title": "QQ"}).replace(b"(QQ)", b"null")
    entry = one(read(tmp_path, "a.pdf", damaged))
    assert (entry.title, entry.text) == ("The head", "and the text")


# --- JSON


def test_json_lines_with_a_broken_one(tmp_path: Path) -> None:
    lines = [
        '{"id": "d1", "title": "One", "text": "A.\\n\\nB.", "lang": "en", "published": "2026-03-11T10:00:00Z",'
        ' "url": "https://x.example/1", "source": "port-news", "tags": ["official"], "unknown": 1}',
        '{"id": 2, "text": "No title"}',
        "not json",
        '{"id": "d4"}',
        "",
        '{"id": "d6", "title": 6}',
        "[]",
        '"text"',
    ]
    feed = read(tmp_path, "list.jsonl", "\n".join(lines))
    first, second = feed.entries
    assert (first.raw_id, first.title, first.text, first.language) == ("d1", "One", "A.\n\nB.", "en")
    assert (first.source, first.tags, first.url) == ("port-news", ("official",), "https://x.example/1")
    assert first.published == datetime(2026, 3, 11, 10, tzinfo=UTC)
    assert (second.raw_id, second.title, second.text, second.path) == ("2", "", "No title", None)
    assert [fault.split(":")[0] for fault in feed.faults] == ["line 3", "line 4", "line 6", "line 7", "line 8"]


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ('{"id": "a", "text": "x"}', ["a"]),
        ('[{"id": "a", "text": "x"}, {"id": "b", "text": "y"}]', ["a", "b"]),
        ('{"id": "a", "text": "x"}\n{"id": "b", "text": "y"}', ["a", "b"]),
        ('{"version": "https://jsonfeed.org/version/1", "items": [{"id": "f", "title": "x"}]}', ["f"]),
    ],
)
def test_json(tmp_path: Path, body: str, ids: list[str]) -> None:
    assert [entry.raw_id for entry in read(tmp_path, "a.json", body).entries] == ids


def test_a_feed_saved_as_a_file(tmp_path: Path) -> None:
    feed = read(tmp_path, "a.xml", Path("tests/data/feeds/ministry.rss").read_bytes())
    assert feed.format == "rss20"
    assert len(feed.entries) == 3


# --- what cannot be read


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("a.txt", b"", "is empty"),
        ("a.txt", b"\xef\xbb\xbf \r\n", "is empty"),
        ("a.txt", bytes(range(256)) * 40, "is binary, not text"),
        ("a.docx", b"PK\x03\x04" + bytes(range(32)) * 100, "is binary, not text"),
        ("a.pdf", b"%PDF-1.7\nnot really", "is no sound PDF"),
        ("a.pdf", pdf("secret", password="x"), "is a PDF with a password"),
        ("a.pdf", pdf(""), "is a PDF without text, perhaps a scan"),
        ("a.html", b"<html><script>x</script></html>", "is a page without text"),
        ("a.eml", b"X: y\n\n", "is a mail without subject and text"),
        ("a.json", b"{", "is not sound JSON"),
        ("a.json", b"[]", "holds no document"),
        ("a.json", b"7", "document 1: not an object"),
        ("a.jsonl", b"{\n{\n", "line 1: not sound JSON"),
        ("a.xml", b"<opml/>", "is XML with the root 'opml'"),
        ("a.rss", b"<html>", "is an HTML page"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, body: bytes, words: str) -> None:
    assert refused(tmp_path, name, body).startswith(words)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot be opened"):
        parse_document(str(tmp_path / "no.txt"), "no.txt")


@pytest.mark.parametrize("name", ["README", "notes.unknown"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"Title\n\nText", "text"), (b"<!doctype html><p>x", "html"), (b'{"text":"x"}', "json"), (pdf("x"), "pdf")],
)
def test_where_the_name_says_nothing_the_first_bytes_do(tmp_path: Path, name: str, body: bytes, kind: str) -> None:
    assert read(tmp_path, name, body).format == kind


# --- fuzz

SAMPLES = {
    "a.txt": "Заголовок\n\nТекст.".encode(),
    "a.md": b"---\ntitle: x\n---\n# Head\n\nBody",
    "a.html": b"<html lang=de><head><meta charset=utf-8><title>T</title></head><body><p>x<br>y<table><td>z</body>",
    "a.eml": b"From: A <a@x.example>\nSubject: =?utf-8?q?x?=\nDate: Wed, 11 Mar 2026 10:00:00 +0100\n"
    b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html; charset=koi8-r\n"
    b"Content-Transfer-Encoding: base64\n\nPHA+eDwvcD4=\n--b--\n",
    "a.json": b'[{"id": "a", "title": "x", "text": "y", "published": "2026-03-11", "tags": ["t"]}]',
    "a.jsonl": b'{"id": "a", "text": "y"}\n{"id": 2, "title": "z"}\n',
    "a.pdf": pdf("First\nsecond", about={"/Title": "T"}),
    "a.xml": Path("tests/data/feeds/ministry.rss").read_bytes(),
}


def _fuzz(name: str, cuts: list[tuple[int, int, bytes]]) -> None:
    body = SAMPLES[name]
    for at, length, put in cuts:
        at %= len(body) + 1
        body = body[:at] + put + body[at + length :]
    with contextlib.suppress(Unreadable):
        feed = parse_bytes(body, name)
        msgspec.msgpack.encode(feed)
        assert feed.entries or feed.faults


mutations = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 60), st.binary(max_size=6)), min_size=1, max_size=5)


@settings(max_examples=500)
@given(st.sampled_from(sorted(SAMPLES)), mutations)
def test_fuzz_spoilt_documents_are_read_or_refused(name: str, cuts: list[tuple[int, int, bytes]]) -> None:
    _fuzz(name, cuts)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@settings(max_examples=100_000)
@given(st.sampled_from(sorted(SAMPLES)), mutations)
def test_fuzz_documents_soak(name: str, cuts: list[tuple[int, int, bytes]]) -> None:
    _fuzz(name, cuts)


# --- folders


class Folder:
    """A folder of documents below `seeds/`, and looks into it."""

    def __init__(self, seeds: Path) -> None:
        self.seeds = seeds
        self.path = seeds / "documents"
        self.path.mkdir()
        self.known: frozenset[str] = frozenset()

    def write(self, name: str, body: bytes | str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body.encode() if isinstance(body, str) else body)
        return path

    def look(self) -> tuple[list[str], list[str]]:
        """Names of the documents read, and faults."""
        parts = self._run(lambda documents: documents.read_folder("documents/", self.known))
        self.known = parts[-1].present
        assert frozenset().union(*(part.marks for part in parts)) <= self.known
        return [e.path or "" for part in parts for e in part.feed.entries], [f for p in parts for f in p.feed.faults]

    def give(self, path: Path | str) -> list[DocumentsRead]:
        return self._run(lambda documents: documents.read_path(str(path), ["documents/"]))

    def _run(self, call: Any) -> list[DocumentsRead]:
        async def play() -> list[DocumentsRead]:
            workers = Workers(size=1)
            try:
                return [part async for part in call(Documents(self.seeds, workers))]
            finally:
                await workers.aclose()

        return asyncio.run(play())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_new_and_changed_files_are_noticed_and_others_left_alone(folder: Folder) -> None:
    folder.write("b.txt", "B\n\ntext")
    folder.write("deep/er/a.txt", "A\n\ntext")
    assert folder.look() == (["b.txt", "deep/er/a.txt"], [])
    assert folder.look() == ([], [])
    folder.write("b.txt", "B\n\nother text")
    folder.write("c.md", "# C\n\ntext")
    assert folder.look() == (["b.txt", "c.md"], [])


def test_what_cannot_be_read_is_one_line_each_and_the_others_are_read(folder: Folder) -> None:
    folder.write("good.txt", "Good\n\ntext")
    folder.write("empty.txt", "")
    folder.write("binary.txt", bytes(range(256)) * 40)
    with (folder.path / "huge.txt").open("wb") as huge:
        huge.truncate(200_000_000)  # sparse: no disk is filled
    names, faults = folder.look()
    assert names == ["good.txt"]
    assert faults == [
        "binary.txt: is binary, not text",
        "empty.txt: is empty",
        "huge.txt: has 200 MB; at most 64 MB are read",
    ]
    assert folder.look() == ([], []), "said once"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_or_a_dangling_link_is_named_and_hangs_nobody(folder: Folder) -> None:
    os.mkfifo(folder.path / "pipe.txt")
    (folder.path / "link.txt").symlink_to("nowhere")
    assert folder.look() == (
        [],
        ["link.txt: cannot be opened (No such file or directory)", "pipe.txt: is not a regular file"],
    )


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_an_unreadable_file_is_named_and_read_once_it_may_be(folder: Folder) -> None:
    path = folder.write("a.txt", "A\n\ntext")
    path.chmod(0)
    assert folder.look() == ([], ["a.txt: cannot be opened (Permission denied)"])
    path.chmod(0o600)
    assert folder.look() == (["a.txt"], [])


def test_hidden_and_unfinished_files_are_left_alone(folder: Folder) -> None:
    for name in (".DS_Store", ".git/config", "a.txt~", "~$b.docx", "c.pdf.part", ".d.txt.swp"):
        folder.write(name, "x\n\ny")
    assert folder.look() == ([], [])


def test_a_folder_that_is_not_there_is_named(folder: Folder) -> None:
    folder.path.rmdir()
    with pytest.raises(FetchFailed, match="is not there"):
        folder.look()


class Failing(Workers):
    """Workers that fail a document of this name so often, then read it."""

    def __init__(self, name: str, *failures: FetchFailed) -> None:
        super().__init__()
        self.name, self.failures = name, list(failures)

    async def parse_file(self, path: Path, name: str, size: int) -> ParsedFeed:
        if name == self.name and self.failures:
            raise self.failures.pop(0)
        return parse_document(str(path), name)


def looks(folder: Folder, workers: Workers, times: int) -> list[tuple[list[str], list[str]]]:
    """What one reader found, look by look, as long as it lived."""

    async def play() -> list[tuple[list[str], list[str]]]:
        documents = Documents(folder.seeds, workers)
        found, known = list[tuple[list[str], list[str]]](), frozenset[str]()
        for _ in range(times):
            names, faults = list[str](), list[str]()
            try:
                async for part in documents.read_folder("documents/", known):
                    names += [entry.path or "" for entry in part.feed.entries]
                    faults += part.feed.faults
                    known = known | part.marks if part.present is None else part.present
            except FetchFailed as failed:
                faults.append(failed.reason)
            found.append((names, faults))
        return found

    return asyncio.run(play())


def test_a_document_that_failed_in_passing_is_read_again(folder: Folder) -> None:
    folder.write("a.txt", "A\n\ntext")
    folder.write("b.txt", "B\n\ntext")
    slow = FetchFailed("took more than 10 s to parse")
    assert looks(folder, Failing("a.txt", slow), 3) == [
        (["b.txt"], ["a.txt: took more than 10 s to parse; it is tried again"]),
        (["a.txt"], []),
        ([], []),
    ]


def test_a_document_that_fails_each_time_is_given_up_until_it_changes(folder: Folder) -> None:
    folder.write("a.txt", "A\n\ntext")
    crash = FetchFailed("crashed the parser")
    found = looks(folder, Failing("a.txt", *[crash] * 5), 5)
    said = ["a.txt: crashed the parser; it is tried again"] * 2 + ["a.txt: crashed the parser; given up"]
    assert found == [([], [line]) for line in said] + [([], [])] * 2


def test_where_no_parser_can_be_started_the_look_fails_and_what_was_read_is_kept(folder: Folder) -> None:
    folder.write("a.txt", "A\n\ntext")
    folder.write("b.txt", "B\n\ntext")
    stuck = NoParser("no parser could be started: Too many open files")
    found = looks(folder, Failing("a.txt", *[stuck] * 4), 6)
    assert found == [(["b.txt"], [stuck.reason])] + [([], [stuck.reason])] * 3 + [(["a.txt"], []), ([], [])]


def test_a_disk_that_fails_in_passing_is_read_again(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder.write("a.txt", "A\n\ntext")
    for error, passing in ((OSError(errno.EIO, "Input/output error"), True), (PermissionError(13, "No"), False)):

        def refuse(*args: object, error: OSError = error) -> None:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(Path, "open", refuse)
            result = perform(Job(seconds=1, path=os.fsencode(path), name="a.txt"))
        assert result.error is not None and result.error.startswith("cannot be opened") and result.passing is passing


def test_many_files_come_in_parts(folder: Folder) -> None:
    folder.write("all.txt", "x")
    for number in range(120):
        (folder.path / f"{number:03}.txt").write_text(f"Title {number}\n\nText")
    parts = folder.give(folder.path)
    assert [len(part.feed.entries) for part in parts] == [100, 21]


def test_a_given_file_within_a_watched_folder_is_that_folders(folder: Folder) -> None:
    path = folder.write("sub/a.txt", "A\n\ntext")
    (part,) = folder.give(path)
    assert (part.location, part.feed.entries[0].path) == ("documents/", "sub/a.txt")


def test_a_given_file_elsewhere_is_known_by_its_whole_path(folder: Folder) -> None:
    path = folder.seeds / "a.txt"
    path.write_text("A\n\ntext")
    (part,) = folder.give(path)
    assert (part.location, part.feed.entries[0].path) == (None, path.resolve().as_posix())


def test_a_given_file_that_is_not_there_says_so(folder: Folder) -> None:
    with pytest.raises(FetchFailed, match="cannot be opened") as caught:
        folder.give("no/such.txt")
    assert caught.value.lasting


def test_given_json_lines_keep_their_ids(folder: Folder) -> None:
    path = folder.seeds / "list.jsonl"
    path.write_text("\n".join(json.dumps({"id": f"d{n}", "text": f"text {n}"}) for n in range(3)))
    (part,) = folder.give(path)
    assert [(entry.raw_id, entry.path) for entry in part.feed.entries] == [("d0", None), ("d1", None), ("d2", None)]
