"""`silence`, `silences`: keep alerts from being sent for a time; see what one would have hidden; list them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Annotated, Any

from cyclopts import App, Parameter

from monitor.cli import context, output
from monitor.cli.acts import hand_over
from monitor.cli.instants import parse_instant, parse_span
from monitor.cli.lists import DEFAULT_LIMIT, AsOf, Json, Limit, alert_json, pick
from monitor.cli.reading import Reading
from monitor.core import views
from monitor.errors import UsageError
from monitor.matching.model import Severity

app = App(
    name="silence",
    help="Keep alerts from being sent for a time: they are listed as silenced, and counted in each digest.",
    help_format="plaintext",
)

Theme = Annotated[str | None, Parameter(help="Only alerts of this theme.")]
Source = Annotated[str | None, Parameter(help="Only what entries of this source raise.")]
Rule = Annotated[str | None, Parameter(help="Only what met this rule and no other.")]
AtMost = Annotated[Severity | None, Parameter(name="--at-most", help="Only what is no more severe than that.")]

DAYS = 30


@app.command
def add(
    *,
    theme: Theme = None,
    source: Source = None,
    rule: Rule = None,
    at_most: AtMost = None,
    span: Annotated[str | None, Parameter(name="--for", help="How long: 30m, 8h, 7d, 2w.")] = None,
    until: Annotated[str | None, Parameter(help="Or until when: 2026-11-24T07:00Z.")] = None,
    reason: Annotated[str, Parameter(help="Why, for those who wonder.")],
) -> None:
    """Silence what fits all that is named; one thing at least. `silence preview` says what that would have hidden."""
    if (span is None) == (until is None):
        raise UsageError("say how long: --for 8h, or --until 2026-11-24T07:00Z")
    seconds = int(parse_span(span).total_seconds()) if span else 0
    with_until = _instant(until) if until else ""
    args = {"matchers": _matchers(theme, source, rule, at_most), "seconds": seconds, "until": with_until}
    answer = hand_over("silence add", args | {"reason": reason})
    print(f"{answer['silence_id']} until {answer['until'][:16]}Z, position {answer['position']}")


@app.command
def expire(silence: Annotated[str, Parameter(name="ID", help="A silence: sil-…")], /) -> None:
    """End a silence now."""
    answer = hand_over("silence expire", {"silence": silence})
    print(f"{'ended' if answer['changed'] else 'it was over already'}, position {answer['position']}")


@app.command
def preview(
    *,
    theme: Theme = None,
    source: Source = None,
    rule: Rule = None,
    at_most: AtMost = None,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """What such a silence would have hidden in the last 30 days. Nothing is stored."""
    import msgspec

    from monitor.pipeline.silencing import Matchers
    from monitor.pipeline.silencing import preview as hidden_by

    matchers = msgspec.convert(_matchers(theme, source, rule, at_most), Matchers)
    with Reading(context.settings()) as reading:
        now = reading.now()
        found = list(hidden_by(reading.store, matchers, now - timedelta(days=DAYS), now))
    alerts = {one.alert.alert_id: one for one in found}
    shown = pick(reversed(list(alerts.values())), lambda one: True, limit, json)
    if json:
        output.json_lines(alert_json(one.alert) for one in shown)
        return
    counts = Counter(one.severity for one in alerts.values())
    words = ", ".join(f"{counts[severity]} {severity}" for severity in reversed(Severity) if counts[severity])
    print(f"{output.many(len(alerts), 'alert')} in the last {DAYS} days{': ' if words else ''}{words}")
    if shown:
        output.listing(
            [
                ((one.alert.alert_id, output.moment(one.at), one.severity.value, one.alert.theme), one.alert.title)
                for one in shown
            ],
            empty="",
        )
    if len(shown) < len(alerts):
        print(f"+{len(alerts) - len(shown)} earlier ones; --limit shows more than {DEFAULT_LIMIT}")


def silences(
    *,
    theme: Annotated[str | None, Parameter(help="Only those that can hide alerts of this theme.")] = None,
    active: Annotated[bool, Parameter(negative="", help="Only those that hold now.")] = False,
    limit: Limit = None,
    json: Json = False,
    as_of: AsOf = None,
) -> None:
    """List silences, the newest last."""
    with Reading(context.settings()) as reading:
        now = reading.now()

        def holds(row: views.SilenceRow) -> bool:
            return row.state == "active" and (as_of is not None or row.until > now)

        def wanted(row: views.SilenceRow) -> bool:
            return (theme is None or row.theme in (None, theme)) and (not active or holds(row))

        rows = pick(reading.rows(views.SILENCES, as_of), wanted, limit, json)
        if json:
            output.json_lines(silence_json(row, "active" if holds(row) else "expired") for row in rows)
            return
        output.listing(
            [
                (
                    (
                        row.silence_id, "active" if holds(row) else "expired", f"until {output.moment(row.until)}",
                        _words(row), f"{row.hidden} hidden", row.actor,
                    ),
                    row.reason,
                )
                for row in rows
            ],
            empty="no silences",
        )  # fmt: skip


def silence_json(row: views.SilenceRow, state: str) -> dict[str, Any]:
    """One silence as an object."""
    return {
        "silence_id": row.silence_id, "state": state, "theme": row.theme, "source": row.source, "rule": row.rule,
        "at_most": row.at_most, "until": row.until, "reason": row.reason, "actor": row.actor,
        "added_at": row.added_at, "expired_at": row.expired_at, "hidden": row.hidden, "position": row.position,
    }  # fmt: skip


def _words(row: views.SilenceRow) -> str:
    named = (("theme", row.theme), ("source", row.source), ("rule", row.rule), ("at most", row.at_most))
    return ", ".join(f"{key} {value}" for key, value in named if value is not None)


def _matchers(theme: str | None, source: str | None, rule: str | None, at_most: Severity | None) -> dict[str, Any]:
    return {"theme": theme, "source": source, "rule": rule, "at_most": at_most.value if at_most else None}


def _instant(text: str) -> str:
    from monitor.app import wall_clock

    return parse_instant(text, wall_clock()).isoformat()
