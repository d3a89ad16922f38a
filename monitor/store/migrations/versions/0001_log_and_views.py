"""The log, its views, checkpoints and poll states."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("position", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("event_id", TEXT, nullable=True),
        sa.Column("dedupe", sa.LargeBinary, nullable=True),
        sa.Column("recorded_at", NUMBER, nullable=False),
        sa.Column("causation", NUMBER, nullable=True),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=True),
        sa.Column("body", sa.LargeBinary, nullable=True),
        sa.Column("commitment", sa.LargeBinary, nullable=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_index("events_stream_version", "events", ["stream", "version"], unique=True)
    _partial_index("events_event_id", "events", ["event_id"], "event_id IS NOT NULL", unique=True)
    _partial_index("events_dedupe", "events", ["dedupe"], "dedupe IS NOT NULL", unique=True)

    head = op.create_table(
        "log_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", NUMBER, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("views_revision", NUMBER, nullable=False),
        sa.CheckConstraint("id = 1", name="log_head_one_row"),
    )
    op.bulk_insert(head, [{"id": 1, "position": 0, "hash": bytes(32), "epoch": 1, "views_revision": 0}])

    op.create_table(
        "checkpoints",
        sa.Column("subscription", TEXT, primary_key=True),
        sa.Column("position", NUMBER, nullable=False),
    )

    op.create_table(
        "generations",
        sa.Column("generation", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("view", TEXT, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("state", TEXT, nullable=False),
    )
    _partial_index("generations_serving", "generations", ["view"], "state = 'serving'", unique=True)

    op.create_table(
        "view_rows",
        sa.Column("generation", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("sort", NUMBER, nullable=False),
        sa.Column("facet", TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("view_rows_sort", "view_rows", ["generation", "sort", "key"])
    _partial_index("view_rows_facet", "view_rows", ["generation", "facet", "sort", "key"], "facet <> ''")

    op.create_table(
        "polls",
        sa.Column("source_id", TEXT, primary_key=True),
        sa.Column("next_due", NUMBER, nullable=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("polls_next_due", "polls", ["next_due", "source_id"])


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(
        name, table, columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )  # fmt: skip
