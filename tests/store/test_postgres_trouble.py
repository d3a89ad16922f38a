"""PostgreSQL down, gone in mid-commit and back: an append fails cleanly or is written once, and later ones work."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from threading import Thread

import pytest
from sqlalchemy import make_url

from monitor.core.views import ALL
from monitor.errors import StoreError, TryAgain, Unavailable
from monitor.ports import Commit
from monitor.store import open_store
from monitor.store.sql import SqlStore
from monitor.store.verify import verify
from tests.contracts.children import entropy, entry, source_added
from tests.contracts.conftest import Place
from tests.fakes import ManualClock


class Line:
    """A line to the server that can be cut: always, or once, when the client has sent some bytes.

    `before`: the server never sees these bytes. Else it does, and only its answer is lost.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.up, self.cut_at, self.before = True, b"", False
        self._ends: list[socket.socket] = []
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        """Drop every connection."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.up = False
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join()
        for end in (*self._ends, self._listener):
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self.up:
                client.close()
                continue
            server = socket.create_connection(self._server)
            self._ends += [client, server]
            for work in (lambda c=client, s=server: self._up(c, s), lambda c=client, s=server: self._down(c, s)):
                thread = Thread(target=work, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self.cut_at and self.cut_at in data:
                    self.cut_at = b""
                    if not self.before:
                        client.shutdown(socket.SHUT_RDWR)  # nobody hears the answer
                        server.sendall(data)
                    break
                server.sendall(data)
        for end, how in ((client, socket.SHUT_RDWR), (server, socket.SHUT_WR)):
            with suppress(OSError):
                end.shutdown(how)

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(postgres_url: str) -> Iterator[Line]:
    url = make_url(postgres_url)
    found = Line((url.host or "127.0.0.1", url.port or 5432))
    yield found
    found.close()


@pytest.fixture
def url(postgres_url: str, line: Line) -> str:
    through = make_url(postgres_url).set(host="127.0.0.1", port=line.port, drivername="postgresql")
    return through.render_as_string(hide_password=False)


@pytest.fixture
def store(url: str, line: Line) -> Iterator[SqlStore]:
    with closing(opened(url)) as store:
        store.append(Commit(events=(source_added(),)))
        yield store
        line.cut_at = b""


def opened(url: str, **options: bool) -> SqlStore:
    return open_store(url, views=ALL, clock=ManualClock(), entropy=entropy(), **options)


@pytest.mark.parametrize("before", [True, False], ids=["COMMIT lost", "answer lost"])
def test_a_line_that_drops_at_commit_writes_once_and_tells_places(store: SqlStore, line: Line, before: bool) -> None:
    line.before, line.cut_at = before, b"COMMIT"
    placed = store.append(Commit(events=(entry(1), entry(2)), checkpoint=("detect", 0, 2)))
    assert [(one.position, one.duplicate) for one in placed] == [(2, False), (3, False)]
    assert not line.cut_at
    assert (store.head().position, store.checkpoint("detect")) == (3, 2)
    assert verify(store).ok


@pytest.mark.parametrize("at", [b"BEGIN", b"FOR UPDATE", b"INSERT INTO events", b"UPDATE log_head"])
def test_a_line_that_drops_anywhere_before_writes_once(store: SqlStore, line: Line, at: bytes) -> None:
    line.cut_at = at
    assert [one.position for one in store.append(Commit(events=(entry(1),)))] == [2]
    assert not line.cut_at
    assert store.head().position == 2 and verify(store).ok


def test_a_line_idle_and_dead_is_opened_again_for_readers_and_writers(store: SqlStore, line: Line) -> None:
    line.cut()
    assert store.head().position == 1
    line.cut()
    assert store.append(Commit(events=(entry(1),)))[0].position == 2
    line.cut()
    store.rebuild()
    assert verify(store).ok


def test_a_server_that_is_down_fails_appends_cleanly_until_it_is_back(store: SqlStore, line: Line) -> None:
    line.up = False
    line.cut()
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"database 'postgresql://.*': .* while appending; try again when"):
            store.append(Commit(events=(entry(1),)))
        with pytest.raises(Unavailable, match="while reading"):
            store.head()
    line.up = True
    assert store.append(Commit(events=(entry(1),)))[0].position == 2
    assert verify(store).ok


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    for read_only in (False, True):
        with pytest.raises(Unavailable) as error:
            opened(f"postgresql://desk:hunter2@127.0.0.1:{port}/log", read_only=read_only)
        assert f"127.0.0.1:{port}/log" in str(error.value) and "hunter2" not in str(error.value)
        assert "\n" not in str(error.value)


def test_another_programs_or_a_newer_database_is_left_alone(postgres_url: str, admin: Callable[[str], None]) -> None:
    admin("CREATE TABLE recipes (name text)")
    with pytest.raises(StoreError, match=r"another program \(recipes, …\); it was not touched"):
        opened(postgres_url)
    admin("DROP TABLE recipes")
    opened(postgres_url).close()
    admin("UPDATE alembic_version SET version_num = '0999'")
    for read_only in (False, True):
        with pytest.raises(StoreError, match="made by a newer version"):
            opened(postgres_url, read_only=read_only)


def test_a_user_who_may_only_read_is_told_so(postgres_url: str, admin: Callable[[str], None]) -> None:
    opened(postgres_url).close()
    name = f"reader_{make_url(postgres_url).database}"
    admin(f'CREATE ROLE "{name}" LOGIN')
    try:
        schema = str(make_url(postgres_url).query["options"]).rpartition("=")[2]
        admin(f'GRANT USAGE ON SCHEMA {schema} TO "{name}"')
        admin(f'GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO "{name}"')
        url = make_url(postgres_url).set(username=name).render_as_string()
        with closing(opened(url, read_only=True)) as reader:
            assert reader.head().position == 0
        with pytest.raises(Unavailable, match=r"read-only for this user \(permission denied"):
            opened(url)
    finally:
        admin(f'DROP OWNED BY "{name}"')
        admin(f'DROP ROLE "{name}"')


@pytest.fixture
def admin(postgres_url: str) -> Iterator[Callable[[str], None]]:
    import psycopg

    plain = make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        yield connection.execute


def test_one_program_at_a_time_works_on_a_database(postgres_url: str) -> None:
    place = Place("postgres", postgres_url)
    first, second = place.open(), place.open()
    assert isinstance(first, SqlStore)
    assert isinstance(second, SqlStore)
    try:
        with first.database.sole():
            with pytest.raises(TryAgain, match="another monitor works on it"), second.database.sole():
                pass
            second.append(Commit(events=()))  # whoever only writes is not kept out
        with second.database.sole():
            pass
    finally:
        place.close()
