"""`deliveries`: the ledger of what was sent to whom, and what a person does about what is stuck."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from monitor.cli import context, output
from monitor.cli.acts import hand_over
from monitor.cli.lists import INSTANT, AsOf, Json, Limit, pick
from monitor.cli.reading import Reading
from monitor.core import views
from monitor.errors import NotFound

app = App(name="deliveries", help="List deliveries; retry, release or discard what is stuck.", help_format="plaintext")

Ids = Annotated[str, Parameter(name="ID", help="Deliveries: dlv-…")]
All = Annotated[bool, Parameter(name="--all", negative="", help="Every one that this fits.")]


@app.default
def deliveries(
    *,
    state: Annotated[
        Literal["pending", "delivered", "failed", "held", "discarded"] | None,
        Parameter(help="Only those in this state."),
    ] = None,
    receiver: Annotated[str | None, Parameter(help="Only this receiver's.")] = None,
    since: Annotated[str | None, Parameter(help=f"Only those composed since: {INSTANT}.")] = None,
    until: Annotated[str | None, Parameter(help="Only those composed until then.")] = None,
    limit: Limit = None,
    json: Json = False,
    as_of: AsOf = None,
) -> None:
    """List deliveries, the newest last."""
    with Reading(context.settings()) as reading:
        first = reading.position(since) if since else 0
        last = reading.position(until) if until else None

        def wanted(row: views.DeliveryRow) -> bool:
            return receiver in (None, row.receiver) and row.position > first and (last is None or row.position <= last)

        if receiver is not None and reading.store.get(views.RECEIVERS, receiver) is None:
            known = sorted(row.receiver for row in reading.store.rows(views.RECEIVERS))
            raise NotFound(f"no receiver is called '{receiver}'; known: {', '.join(known)}")
        rows = pick(reading.rows(views.DELIVERIES, as_of, facet=state), wanted, limit, json)
        if json:
            output.json_lines(delivery_json(row, _composed_at(reading, row)) for row in rows)
            return
        output.listing(
            [
                (
                    (
                        row.delivery_id, output.moment(_composed_at(reading, row)), row.receiver, row.recipient,
                        row.state, output.many(row.attempts, "attempt"),
                    ),
                    row.last_error or "",
                )
                for row in rows
            ],
            empty="no deliveries",
        )  # fmt: skip


@app.command
def retry(*ids: Ids, all: All = False) -> None:
    """Send again what failed or is held, at the next look."""
    _change("retry", ids, all)


@app.command
def release(*ids: Ids, all: All = False) -> None:
    """Let go what is held; with --all also an outbox that a restore holds."""
    _change("release", ids, all)


@app.command
def discard(*ids: Ids, all: All = False) -> None:
    """Decide that these shall not go out."""
    _change("discard", ids, all)


def delivery_json(row: views.DeliveryRow, composed_at: datetime | None) -> dict[str, Any]:
    """The contract's delivery object, and when its digest was composed."""
    return {
        "delivery_id": row.delivery_id, "digest_id": row.digest_id, "receiver": row.receiver,
        "recipient": row.recipient, "channel": row.channel, "state": row.state, "attempts": row.attempts,
        "last_error": row.last_error, "position": row.position, "next_attempt": row.next_attempt,
        "composed_at": composed_at,
    }  # fmt: skip


def _composed_at(reading: Reading, row: views.DeliveryRow) -> datetime | None:
    digest = reading.store.get(views.DIGESTS, row.digest_id)
    return digest.composed_at if digest else None


def _change(action: str, ids: tuple[str, ...], everything: bool) -> None:
    answer = hand_over("deliveries", {"action": action, "ids": list(ids), "all": everything})
    print(f"{action}: {output.many(len(answer['changed']), 'delivery', 'deliveries')}, position {answer['position']}")
