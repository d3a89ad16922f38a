"""Every table, declared once. The migrations must end at exactly these (a test compares them).

Statements live in `sql.py` as plain SQL over these names: inserting through the ORM costs four to six times more, and
importing it on every command a fifth of a second.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, Text, text
from sqlalchemy.dialects import postgresql
from sqlmodel import Field, SQLModel


def _text(name: str, *, nullable: bool = False, **options: Any) -> Column[str]:
    # Bytes decide equality and order, as in Python and SQLite; a server's language must not.
    kind = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
    return Column(name, kind, nullable=nullable, **options)


def _number(name: str, *, nullable: bool = False, **options: Any) -> Column[int]:
    # On SQLite only INTEGER PRIMARY KEY is the row's own address; BIGINT would add an index.
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), nullable=nullable, **options)


def _bytes(name: str, *, nullable: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=nullable)


def _partial(name: str, *columns_and_where: str, unique: bool = True) -> Index:
    *columns, where = columns_and_where
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


class EventTable(SQLModel, table=True):
    """The log. See `chain.StoredEvent` for what the columns hold."""

    __tablename__ = "events"
    __table_args__ = (
        Index("events_stream_version", "stream", "version", unique=True),
        _partial("events_event_id", "event_id", "event_id IS NOT NULL"),
        _partial("events_dedupe", "dedupe", "dedupe IS NOT NULL"),
    )

    position: int = Field(sa_column=_number("position", primary_key=True, autoincrement=False))
    stream: str = Field(sa_column=_text("stream"))
    version: int = Field(sa_column=_number("version"))
    type: str = Field(sa_column=_text("type"))
    schema_version: int = Field(sa_column=Column("schema_version", Integer, nullable=False))
    event_id: str | None = Field(sa_column=_text("event_id", nullable=True))
    dedupe: bytes | None = Field(sa_column=_bytes("dedupe", nullable=True))
    recorded_at: int = Field(sa_column=_number("recorded_at"))
    causation: int | None = Field(sa_column=_number("causation", nullable=True))
    actor: str = Field(sa_column=_text("actor"))
    salt: bytes | None = Field(sa_column=_bytes("salt", nullable=True))
    body: bytes | None = Field(sa_column=_bytes("body", nullable=True))
    commitment: bytes | None = Field(sa_column=_bytes("commitment", nullable=True))
    hash: bytes = Field(sa_column=_bytes("hash"))


class LogHeadTable(SQLModel, table=True):
    """One row: the end of the log. Whoever appends holds it, so positions are gapless and in commit order."""

    __tablename__ = "log_head"
    __table_args__ = (CheckConstraint("id = 1", name="log_head_one_row"),)

    id: int = Field(sa_column=Column("id", Integer, primary_key=True, autoincrement=False))
    position: int = Field(sa_column=_number("position"))
    hash: bytes = Field(sa_column=_bytes("hash"))
    epoch: int = Field(sa_column=Column("epoch", Integer, nullable=False))
    views_revision: int = Field(sa_column=_number("views_revision"))


class CheckpointTable(SQLModel, table=True):
    """How far each subscription got."""

    __tablename__ = "checkpoints"

    subscription: str = Field(sa_column=_text("subscription", primary_key=True))
    position: int = Field(sa_column=_number("position"))


class GenerationTable(SQLModel, table=True):
    """One fold of one view. State: building | serving | dropped; at most one of a view is serving."""

    __tablename__ = "generations"
    __table_args__ = (_partial("generations_serving", "view", "state = 'serving'"),)

    generation: int = Field(sa_column=_number("generation", primary_key=True, autoincrement=False))
    view: str = Field(sa_column=_text("view"))
    version: int = Field(sa_column=Column("version", Integer, nullable=False))
    state: str = Field(sa_column=_text("state"))


class ViewRowTable(SQLModel, table=True):
    """The rows of all views, of all generations."""

    __tablename__ = "view_rows"
    __table_args__ = (
        Index("view_rows_sort", "generation", "sort", "key"),
        _partial("view_rows_facet", "generation", "facet", "sort", "key", "facet <> ''", unique=False),
    )

    generation: int = Field(sa_column=_number("generation", primary_key=True, autoincrement=False))
    key: str = Field(sa_column=_text("key", primary_key=True))
    sort: int = Field(sa_column=_number("sort"))
    facet: str = Field(sa_column=_text("facet"))
    body: bytes = Field(sa_column=_bytes("body"))


class PollTable(SQLModel, table=True):
    """The poll state of each source, as JSON; `next_due` in microseconds since 1970 (UTC)."""

    __tablename__ = "polls"
    __table_args__ = (Index("polls_next_due", "next_due", "source_id"),)

    source_id: str = Field(sa_column=_text("source_id", primary_key=True))
    next_due: int | None = Field(sa_column=_number("next_due", nullable=True))
    body: bytes = Field(sa_column=_bytes("body"))


METADATA = SQLModel.metadata
