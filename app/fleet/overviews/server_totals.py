"""Totals per server, summed up in the database, so that the cost does not grow with the number of builds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, not_, select

from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.server import Replica
from app.fleet.build_states import SHOWN_RETRIES
from app.fleet.costs.queued_transfers import queued_bytes
from app.fleet.costs.transfer_costs import NOT_BEGUN


@dataclass(frozen=True)
class Failure:
    """A server's worst failed replica. `attempt` counts from 1; `retry_at` is the time of the next try."""

    game: str
    slug: str
    build: int
    attempt: int
    reason: str | None
    retry_at: datetime | None
    since: datetime

    @property
    def retrying(self) -> bool:
        return self.attempt <= SHOWN_RETRIES


@dataclass(frozen=True)
class Tally:
    """Replicas of one server, counted by phase. `bytes_to_fetch`: exact, as the matrix shows them."""

    builds: int = 0
    cached: int = 0
    queued: int = 0
    downloading: int = 0
    verifying: int = 0
    failed: int = 0
    bytes_to_fetch: int = 0
    downloading_done: int = 0
    downloading_total: int = 0
    bytes_per_second: int = 0
    queued_since: datetime | None = field(default=None, kw_only=True)  # the oldest queued build's

    @property
    def percent(self) -> int:
        """Of the downloading builds, rounded down."""
        return self.downloading_done * 100 // self.downloading_total if self.downloading_total else 0


_BEGUN = and_(
    Replica.phase.in_(("pending", "downloading", "failed")), not_(NOT_BEGUN), Replica.bytes_total > Replica.bytes_done
)


def tallies(chosen: ColumnElement[bool]) -> dict[str, Tally]:
    """By server id, of the replicas that match `chosen`."""

    def summed(value: Any, *phases: str) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((Replica.phase.in_(phases), value), else_=0)), 0)

    missing = Replica.bytes_total - Replica.bytes_done
    query = select(
        Replica.server_id,
        func.count(),
        *(summed(1, phase) for phase in ("cached", "pending", "downloading", "verifying", "failed")),
        func.coalesce(func.sum(case((_BEGUN, missing), else_=0)), 0),
        *(summed(column, "downloading") for column in (Replica.bytes_done, Replica.bytes_total)),
        summed(Replica.bytes_per_second, "downloading"),
        func.min(case((Replica.phase == "pending", Replica.since))),
    )
    rows = db.session.execute(query.join(Game, Replica.game_id == Game.id).where(chosen).group_by(Replica.server_id))
    queued = queued_bytes(chosen)
    found: dict[str, Tally] = {}
    for server_id, *values, since in rows:
        tally = Tally(*map(int, values), queued_since=since)  # Postgres's sums are numerics
        found[server_id] = replace(tally, bytes_to_fetch=tally.bytes_to_fetch + queued[server_id])
    return found


def worst_failures(chosen: ColumnElement[bool]) -> dict[str, Failure]:
    """The worst failure of each server: first those that are shown as failed, then those with the most tries."""
    place = func.row_number().over(
        partition_by=Replica.server_id, order_by=(Replica.attempt.desc(), Replica.since, Replica.id)
    )
    query = select(
        Replica.server_id,
        Game.title,
        Game.slug,
        Build.number,
        Replica.attempt,
        Replica.reason,
        Replica.retry_at,
        Replica.since,
        place.label("place"),
    ).join(Build, Replica.build_id == Build.id)
    worst = query.join(Game, Replica.game_id == Game.id).where(chosen, Replica.phase == "failed").subquery()
    rows = db.session.execute(select(worst).where(worst.c.place == 1))
    return {
        row.server_id: Failure(row.title, row.slug, row.number, row.attempt, row.reason, row.retry_at, row.since)
        for row in rows
    }
