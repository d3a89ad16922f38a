"""PostgreSQL by psycopg: a server shared by several processes, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import URL, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from monitor.errors import ConfigurationError, MonitorError, StoreError, TryAgain, Unavailable
from monitor.store.dialects import Connection, Database


class Postgres(Database):
    """A server shared by several processes; the row of `log_head` serialises them."""

    begin = "BEGIN ISOLATION LEVEL READ COMMITTED"
    snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    lock_head = "SELECT position, hash, epoch, views_revision FROM log_head FOR UPDATE"
    tables = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"

    def __init__(self, url: URL) -> None:
        self.place = f"database '{url.set(drivername='postgresql', query={}).render_as_string(hide_password=True)}'"
        arguments = {
            "connect_timeout": 10, "application_name": "theme-monitor", "client_encoding": "utf8", "autocommit": True,
            "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 30_000,
        }  # fmt: skip
        options: dict[str, Any] = {"connect_args": arguments, "use_native_hstore": False}
        try:
            import psycopg

            super().__init__(
                create_engine(url, pool_pre_ping=True, max_overflow=-1, **options),
                create_engine(url, poolclass=NullPool, **options),
            )
        except ModuleNotFoundError:
            raise ConfigurationError(
                "database_url: PostgreSQL needs the driver psycopg; pip install 'theme-monitor[postgres]'"
            ) from None
        self.errors, self.conflict = psycopg.Error, psycopg.errors.IntegrityError
        self._pipelines = psycopg.capabilities.has_pipeline()

    def sql(self, statement: str) -> str:
        return statement.replace("?", "%s")

    def fetch(self, connection: Connection, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        # Bytes in binary, not twice as long in hex.
        execute: Any = connection.execute
        return execute(self.sql(statement), parameters, binary=True).fetchall()  # type: ignore[no-any-return]

    def connect(self) -> Connection:
        connection = super().connect()
        try:
            # A writer that stops in mid-transaction (paused machine, dead network) must not hold the log for ever.
            for name, loose, strict in (
                ("idle_in_transaction_session_timeout", "0", "60s"),
                ("lock_timeout", "0", "30s"),
                ("synchronous_commit", "off", "on"),
            ):
                connection.execute(
                    "SELECT set_config(%s, %s, false) WHERE current_setting(%s) = %s", (name, strict, name, loose)
                )
            encoding = self.fetch(connection, "SHOW server_encoding")[0][0]
            if encoding != "UTF8":
                raise ConfigurationError(f"{self.place}: its encoding is {encoding}; make it with ENCODING 'UTF8'")
        except BaseException:
            connection.close()
            raise
        return connection

    def lock_schema(self, connection: Connection) -> None:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('theme-monitor ' || current_schema()))")

    @contextmanager
    def exclusive(self, doing: str) -> Iterator[None]:
        key = "hashtext('theme-monitor views ' || current_schema())"
        with self.reading(doing) as connection:
            connection.execute(f"SELECT pg_advisory_lock({key})")
            try:
                yield
            finally:
                if not self.is_lost(connection):
                    connection.execute(f"SELECT pg_advisory_unlock({key})")

    @contextmanager
    def sole(self) -> Iterator[None]:
        key = "hashtext('theme-monitor at work ' || current_schema())"
        with self.reading("starting") as connection:
            # A machine that lost its power is noticed in a minute, not after the two hours that are usual.
            for name, value in (("idle", "30"), ("interval", "10"), ("count", "3")):
                connection.execute("SELECT set_config(%s, %s, false)", (f"tcp_keepalives_{name}", value))
            if not self.fetch(connection, f"SELECT pg_try_advisory_lock({key})")[0][0]:
                raise TryAgain(
                    f"{self.place}: another monitor works on it, from another state folder or machine; "
                    "stop it first, or give it the command there; nothing was done"
                )
            try:
                yield
            finally:
                if not self.is_lost(connection):
                    connection.execute(f"SELECT pg_advisory_unlock({key})")

    def pipeline(self, connection: Connection) -> AbstractContextManager[Any]:
        return connection.pipeline() if self._pipelines else nullcontext()  # type: ignore[attr-defined]

    def roll_back(self, connection: Connection) -> None:
        connection.rollback()  # type: ignore[attr-defined]

    def is_lost(self, connection: Connection) -> bool:
        return bool(connection.closed)  # type: ignore[attr-defined]

    def insert(
        self, connection: Connection, table: str, kinds: Mapping[str, str], rows: Sequence[tuple[Any, ...]],
        then: str = "",
    ) -> None:  # fmt: skip
        # One array a column in binary: twice to three times as fast as a statement a row, even in a pipeline.
        arrays = ", ".join(f"%b::{kind}[]" for kind in kinds.values())
        if rows:
            connection.execute(
                f"INSERT INTO {table} ({', '.join(kinds)}) SELECT * FROM unnest({arrays}) {then}",
                list(map(list, zip(*rows, strict=True))),
            )

    def kept_rows(self, connection: Connection, generation: int, keys: Sequence[str]) -> Iterable[tuple[Any, ...]]:
        # A seek a key: of a table that was never analysed the planner thinks that reading it all is cheaper.
        statement = (
            "SELECT r.* FROM unnest(%s::text[]) AS k(key) CROSS JOIN LATERAL (SELECT key, sort, facet, body"
            ' FROM view_rows v WHERE v.generation = %s AND v.key = k.key COLLATE "C" LIMIT 1) AS r'
        )
        return self.fetch(connection, statement, (list(keys), generation))

    def scrub(self, connection: Connection) -> None:
        """VACUUM removes the old rows for good, and the server does that by itself in time."""

    def explain(self, error: Exception, doing: str) -> MonitorError:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        text = (str(cause) or type(cause).__name__).splitlines()[0]
        state = getattr(cause, "sqlstate", None) or ""
        if state == "53100":
            return StoreError(f"{self.place}: disk full while {doing}; nothing was done, it works again with space")
        if state in ("55P03", "57014", "40001", "40P01"):
            return TryAgain(f"{self.place}: another process holds the log ({text}); nothing was done, try again")
        if state in ("25006", "42501"):
            return Unavailable(f"{self.place}: read-only for this user ({text}); nothing was done")
        if not state or state[:2] in ("08", "28", "3D", "53", "57") or state == "25P03":
            return Unavailable(f"{self.place}: {text} while {doing}; try again when the server answers")
        return StoreError(f"{self.place}: {text} while {doing}; nothing was done")
