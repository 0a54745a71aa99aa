"""Totals per server, summed up in the database, so that the cost does not grow with the number of builds.

What partners and operators read as "live builds" is counted here, so that the same words have the same number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, and_, case, func, not_, select

from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.server import Replica
from app.fleet.build_states import SHOWN_RETRIES
from app.fleet.costs.queued_transfers import queued_bytes
from app.fleet.costs.transfer_costs import NOT_BEGUN


@dataclass(frozen=True)
class Failure:
    """A server's worst failed replica. `attempt` counts from 1; `retry_at` is the time of the next try. `others`: how
    many more of its replicas failed."""

    game: str
    slug: str
    build: int
    attempt: int
    reason: str | None
    retry_at: datetime | None
    since: datetime
    others: int = 0

    @property
    def retrying(self) -> bool:
        return self.attempt <= SHOWN_RETRIES


@dataclass(frozen=True)
class Tally:
    """The live builds of one server, counted by the phase of its last report. `builds`: how many there are.
    `bytes_to_fetch`: exact, as the matrix shows them."""

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


_IS_LIVE = Game.released_build_id == Replica.build_id
_BEGUN = and_(
    Replica.phase.in_(("pending", "downloading", "failed")), not_(NOT_BEGUN), Replica.bytes_total > Replica.bytes_done
)


class Tallied(Protocol):
    """A server with its tally."""

    @property
    def contact(self) -> bool: ...
    @property
    def tally(self) -> Tally: ...


def cached_live_builds(server: Tallied) -> int | None:
    """How many live builds are cached on a server now. None without contact, where nobody can tell, and if no build is
    live."""
    return server.tally.cached if server.contact and server.tally.builds else None


def live_totals(
    server_ids: Iterable[str], partner_id: str | None = None
) -> tuple[dict[str, Tally], dict[str, Failure]]:
    """By server id: the tallies of these servers, and the worst failures of those where a live build failed. Of the
    games of a partner, or of all (None)."""
    ids, games = list(server_ids), _games(partner_id)
    live = and_(*games, _IS_LIVE)
    if len(ids) == 1:  # for the page of one server, read nothing of the others
        live = and_(live, Replica.server_id == ids[0])
    found = _tallies(live)
    totals = {each: found.get(each, Tally()) for each in ids}
    if partner_id is not None:
        # Each server has a replica of each live build, so this is the same number, also where a row is still missing.
        # Not for all partners: that would read every game.
        count = db.session.scalar(select(func.count()).select_from(Game).where(*games)) or 0
        totals = {each: replace(tally, builds=count) for each, tally in totals.items()}
    return totals, _worst_failures(live)


def live_failures(partner_id: str) -> dict[str, Failure]:
    """By server id: the worst failure of a partner's live builds. One query."""
    return _worst_failures(and_(*_games(partner_id), _IS_LIVE))


def _games(partner_id: str | None) -> list[ColumnElement[bool]]:
    """The conditions that a game has a live build, and is one of a partner's."""
    found: list[ColumnElement[bool]] = [Game.deleted_at.is_(None), Game.released_build_id.is_not(None)]
    return found if partner_id is None else [*found, Game.partner_id == partner_id]


def _tallies(chosen: ColumnElement[bool]) -> dict[str, Tally]:
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


def _worst_failures(chosen: ColumnElement[bool]) -> dict[str, Failure]:
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
        func.count().over(partition_by=Replica.server_id).label("failures"),
    ).join(Build, Replica.build_id == Build.id)
    worst = query.join(Game, Replica.game_id == Game.id).where(chosen, Replica.phase == "failed").subquery()
    rows = db.session.execute(select(worst).where(worst.c.place == 1))
    return {
        row.server_id: Failure(
            row.title, row.slug, row.number, row.attempt, row.reason, row.retry_at, row.since, row.failures - 1
        )
        for row in rows
    }
