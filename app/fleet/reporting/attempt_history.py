"""The history of a replica: each attempt to fetch it, recorded when a report changes its state.

Reports in which only numbers moved write nothing here (app/fleet/reporting/moved_numbers.py), so the cost follows the
number of attempts, and not the number of reports (docs/decisions/0111).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.data.database import in_batches
from app.data.models.server import Replica, ReplicaAttempt, Source

MAX_ATTEMPTS = 20  # per replica
_TRANSFER = {"downloading", "verifying"}


@dataclass(frozen=True)
class StateBefore:
    """The part of a replica's row, before a report, from which its attempts follow."""

    phase: str
    attempt: int
    reason: str | None
    source: Source | None
    bytes_done: int
    bytes_total: int

    @classmethod
    def of(cls, row: Replica) -> StateBefore:
        return cls(row.phase, row.attempt, row.reason, row.source, row.bytes_done, row.bytes_total)

    def differs(self, row: Replica) -> bool:
        return (self.phase, self.attempt, self.reason, self.source) != (row.phase, row.attempt, row.reason, row.source)


def record_attempts(
    session: Session,
    rows: Sequence[Replica],
    before: Mapping[int, StateBefore],
    new_copies: Collection[int],
    at: datetime,
) -> None:
    """Record what a report changed. `before`: by replica id; `new_copies`: ids of replicas that were completed since
    the last report. One query if any state changed, else none. Inside writing(), with the replicas locked."""
    changed = [row for row in rows if row.id in before and before[row.id].differs(row)]
    if not changed:
        return
    newest = _newest_attempts(session, [row.id for row in changed])
    began = set()
    for row in changed:
        found = _record(row, before[row.id], newest.get(row.id), row.id in new_copies, at)
        if found is not None:
            session.add(found)
            began.add(row.id)
    _delete_oldest(session, began)


def _newest_attempts(session: Session, replica_ids: Sequence[int]) -> dict[int, ReplicaAttempt]:
    found: dict[int, ReplicaAttempt] = {}
    for ids in in_batches(replica_ids):
        newest = select(func.max(ReplicaAttempt.id)).where(ReplicaAttempt.replica_id.in_(ids))
        query = select(ReplicaAttempt).where(ReplicaAttempt.id.in_(newest.group_by(ReplicaAttempt.replica_id)))
        found.update((attempt.replica_id, attempt) for attempt in session.scalars(query))
    return found


def _record(
    row: Replica, before: StateBefore, newest: ReplicaAttempt | None, is_new_copy: bool, at: datetime
) -> ReplicaAttempt | None:
    """Change the newest attempt as the report says. Returns a new attempt if one began, or None."""
    running = newest if newest is not None and newest.ended_at is None else None
    if row.phase in _TRANSFER:
        return _continue(row, before, running, at)
    if row.phase == "failed":
        if running is None and newest is not None and (before.phase, before.attempt) == ("failed", row.attempt):
            newest.reason = row.reason  # the same failure in other words
            return None
        return _end(row, before, running, "failed", at)
    if row.phase == "cached":
        return _end(row, before, running, "cached", at) if running is not None or is_new_copy else None
    if running is not None:
        _end(row, before, running, "stopped", at)
    return None


def _continue(row: Replica, before: StateBefore, running: ReplicaAttempt | None, at: datetime) -> ReplicaAttempt | None:
    if before.phase in {"cached", "evicting"}:
        return None  # a copy that was complete is checked again
    switched = row.phase == before.phase == "downloading" and row.source != before.source
    if running is not None and running.number == _number(row) and not switched:
        running.source, running.source_build = row.source, row.source_build
        if row.phase == "verifying":
            _set_fetched(running, before, at)
        return None
    if running is not None:  # its end was not reported; an agent that switches to another source says why
        _end(row, before, running, "stopped", at)
        running.reason = row.fallback if switched else None
    return _new_attempt(row, at)


def _end(
    row: Replica, before: StateBefore, running: ReplicaAttempt | None, outcome: str, at: datetime
) -> ReplicaAttempt | None:
    """End the running attempt, or make one that began and ended between two reports."""
    attempt = running or _new_attempt(row, at)
    attempt.outcome, attempt.ended_at = outcome, at
    attempt.reason = row.reason if outcome == "failed" else None
    if outcome == "cached":
        _set_fetched(attempt, before, at)
    elif attempt.fetched_at is None:
        known = (
            row.bytes_done if row.phase == "failed" else 0,
            before.bytes_done if before.phase == "downloading" else 0,
        )
        attempt.last_bytes = max(attempt.last_bytes, *known)
    return None if attempt is running else attempt


def _number(row: Replica) -> int:
    """Agents may leave the number of the first attempt out."""
    return max(1, row.attempt)


def _new_attempt(row: Replica, at: datetime) -> ReplicaAttempt:
    is_transfer = row.phase in {"downloading", "failed"}
    done = row.bytes_done if is_transfer else row.bytes_total
    return ReplicaAttempt(
        replica_id=row.id,
        number=_number(row),
        outcome="running",
        source=row.source,
        source_build=row.source_build,
        began_at=at,
        fetched_at=None if is_transfer else at,
        first_bytes=done,
        last_bytes=done,
    )


def _set_fetched(attempt: ReplicaAttempt, before: StateBefore, at: datetime) -> None:
    """Everything has arrived. Only the phase `downloading` counts bytes of the transfer."""
    if attempt.fetched_at is None:
        attempt.fetched_at = at
        if before.phase == "downloading":
            attempt.last_bytes = max(attempt.last_bytes, before.bytes_total)


def _delete_oldest(session: Session, replica_ids: Collection[int]) -> None:
    """Keep the newest MAX_ATTEMPTS of each."""
    place = func.row_number().over(partition_by=ReplicaAttempt.replica_id, order_by=ReplicaAttempt.id.desc())
    for ids in in_batches(sorted(replica_ids)):
        session.flush()
        placed = select(ReplicaAttempt.id, place.label("place")).where(ReplicaAttempt.replica_id.in_(ids)).subquery()
        old = select(placed.c.id).where(placed.c.place > MAX_ATTEMPTS)
        session.execute(
            delete(ReplicaAttempt).where(ReplicaAttempt.id.in_(old)), execution_options={"synchronize_session": False}
        )
