"""What a poll leaves behind: the source's next poll state and, where its health turned, one event. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from monitor.core import events as ev
from monitor.core.entries import Kind, ParsedFeed, Source
from monitor.core.polling import (
    CONFIRMED_MOVES,
    DAY,
    Pace,
    is_failing,
    next_poll,
    next_try,
    not_before,
)
from monitor.core.views import SourceRow
from monitor.ports import MARK_LENGTH, Fetched, FetchFailed, PollState

FOLDER_SECONDS = 120  # the least between two looks into a folder; the daemon watches it besides
LATE = 0.5  # of an interval; so late was a downtime, and many sources are late together


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A poll state to store, and the turns of health to record with it."""

    poll: PollState
    turns: tuple[ev.Event, ...] = ()


def fresh_state(source: Source, row: SourceRow | None, now: datetime) -> PollState:
    """The state of a source that has none: due at once. Where its state was lost, what the log knows is kept."""
    known = row is not None and row.location == source.location
    gone = known and row is not None and row.state == "gone"
    return PollState(
        source_id=source.id,
        location=source.location,
        next_due=None if gone else now,
        polled=1 if known and row is not None and row.entries else 0,
    )


def within_reach(poll: PollState, source: Source, now: datetime) -> PollState:
    """The state with its instants brought back where a clock that ran ahead has put them out of reach."""
    furthest = now + timedelta(seconds=max(source.every, DAY) * 1.2)
    if poll.next_due is not None and poll.next_due > furthest:
        poll = replace(poll, next_due=now)
    if poll.not_before is not None and poll.not_before > now + timedelta(seconds=DAY * 1.2):
        poll = replace(poll, not_before=None)
    return poll


def earlier(poll: PollState, step: timedelta) -> PollState:
    """The state with its instants earlier by `step`, as the clock is."""
    return replace(
        poll,
        next_due=None if poll.next_due is None else poll.next_due - step,
        not_before=None if poll.not_before is None else poll.not_before - step,
    )


def after_part(poll: PollState, row: SourceRow | None, *, seen: frozenset[str]) -> Step:
    """Part of a folder was read: what was is not read again, even if the rest never is."""
    return Step(poll=replace(poll, seen="".join(sorted(seen))))


def after_folder(
    source: Source, poll: PollState, row: SourceRow | None, *, seen: frozenset[str], now: datetime
) -> Step:
    """A folder was looked through."""
    state = replace(
        poll,
        seen="".join(sorted(seen)),
        next_due=now + timedelta(seconds=max(source.every, FOLDER_SECONDS)),
        polled=poll.polled + 1,
        failures=0,
        last_ok=now,
        last_error=None,
    )
    return Step(poll=state, turns=_recovered(source, poll, row))


def seen_marks(poll: PollState) -> frozenset[str]:
    """The marks of the files that were looked at."""
    return frozenset(poll.seen[at : at + MARK_LENGTH] for at in range(0, len(poll.seen), MARK_LENGTH))


def after_answer(
    source: Source,
    poll: PollState,
    row: SourceRow | None,
    fetched: Fetched,
    parsed: ParsedFeed | None,
    body_hash: str | None,
    now: datetime,
    draw: float,
) -> Step:
    """A good answer. `parsed` None: a 304, or the same bytes as last time."""
    state = _with_document(poll, fetched, parsed, body_hash)
    pace = Pace(
        every=source.every,
        validated=fetched.body is None or bool(state.etag or state.last_modified),
        wait=fetched.wait,
        ttl=state.ttl,
        body_size=state.body_size,
        skip_hours=state.skip_hours,
        skip_days=state.skip_days,
    )
    late = poll.next_due is not None and (now - poll.next_due).total_seconds() > LATE * source.every
    moved_to, moved_times = _move(poll, fetched)
    turns: tuple[ev.Event, ...] = _recovered(source, poll, row)
    if moved_times == CONFIRMED_MOVES > poll.moved_times and moved_to is not None:
        turns += (ev.SourceMoved(source_id=source.id, location=moved_to),)
    state = replace(
        state,
        next_due=next_poll(now, pace, draw, spread=poll.polled == 0 or late),
        not_before=not_before(now, fetched.wait),
        polled=poll.polled + 1,
        failures=0,
        last_ok=now,
        last_error=None,
        moved_to=moved_to,
        moved_times=moved_times,
    )
    return Step(poll=state, turns=turns)


def after_failure(
    source: Source, poll: PollState, row: SourceRow | None, failed: FetchFailed, now: datetime, draw: float
) -> Step:
    """A poll that brought nothing. Validators stay: they belong to the last document that was read."""
    failures = poll.failures + 1
    if source.kind is Kind.FOLDER:
        due = now + timedelta(seconds=max(source.every, FOLDER_SECONDS))
    else:
        due = next_try(
            now, every=source.every, failures=failures, draw=draw, status=failed.status, retry_after=failed.retry_after
        )
    # An address that was moved to and fails now may have been a mistake: the written one is asked next.
    unmoved = {"moved_to": None, "moved_times": 0} if poll.moved_times >= CONFIRMED_MOVES else {}
    state = replace(
        poll,
        next_due=None if failed.gone else due,
        not_before=not_before(now, failed.retry_after),
        failures=failures,
        last_error=failed.reason,
        **unmoved,
    )
    return Step(poll=state, turns=_turned(source, poll, row, failed, failures))


def _turned(
    source: Source, poll: PollState, row: SourceRow | None, failed: FetchFailed, failures: int
) -> tuple[ev.Event, ...]:
    before = row.state if row is not None else "ok"
    if failed.gone:
        return () if before == "gone" else (ev.SourceGone(source_id=source.id, reason=failed.reason),)
    if before == "ok" and is_failing(failures=failures, lasting=failed.lasting, ever_answered=poll.last_ok is not None):
        return (ev.SourceFailed(source_id=source.id, reason=failed.reason),)
    return ()


def _recovered(source: Source, poll: PollState, row: SourceRow | None) -> tuple[ev.Event, ...]:
    if row is None or row.state not in ("failing", "gone"):
        return ()
    return (ev.SourceRecovered(source_id=source.id, failures=poll.failures),)


def _with_document(poll: PollState, fetched: Fetched, parsed: ParsedFeed | None, body_hash: str | None) -> PollState:
    """Validators and the document's own words, as the answer leaves them."""
    if fetched.body is None:  # a 304 may refresh either validator and says nothing of the other
        return replace(poll, etag=fetched.etag or poll.etag, last_modified=fetched.last_modified or poll.last_modified)
    complete = parsed is None or parsed.complete
    state = replace(
        poll,
        # Of a document that broke off nothing is kept that could keep us from reading it whole.
        etag=fetched.etag if complete else None,
        last_modified=fetched.last_modified if complete else None,
        body_hash=body_hash if complete else None,
        body_size=len(fetched.body),
    )
    if parsed is None:
        return state
    return replace(state, ttl=parsed.ttl_seconds, skip_hours=parsed.skip_hours, skip_days=parsed.skip_days)


def _move(poll: PollState, fetched: Fetched) -> tuple[str | None, int]:
    if fetched.moved_to is not None:
        return fetched.moved_to, poll.moved_times + 1 if fetched.moved_to == poll.moved_to else 1
    if poll.moved_times >= CONFIRMED_MOVES:  # it was asked at its new place, and answered there
        return poll.moved_to, poll.moved_times
    return None, 0
