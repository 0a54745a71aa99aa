"""The attempts of a server to fetch a build, for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.partner import Partner
from app.data.models.server import Replica, ReplicaAttempt, Server, Source
from app.fleet.active_servers import IS_ACTIVE

MIN_RATE_SECONDS = 1.0  # over less, a rate says nothing


@dataclass(frozen=True)
class Attempt:
    """One attempt. `outcome`: running, cached, failed or stopped. `bytes_fetched`: of the transfer, with what earlier
    attempts left; None while it runs. `bytes_per_second`: the average, or None if it was too short to tell."""

    number: int
    outcome: str
    reason: str | None
    source: Source | None
    source_build: int | None
    began_at: datetime
    ended_at: datetime | None
    bytes_fetched: int | None
    bytes_per_second: int | None


@dataclass(frozen=True)
class ReplicaOnServer:
    """One build on one server, for operators."""

    game_id: str
    game: str
    partner: str
    build: int
    attempts: list[Attempt]


def replica_attempts(build_id: str, server_id: str) -> list[Attempt]:
    """The kept attempts, newest first."""
    query = (
        select(ReplicaAttempt)
        .join(Replica, ReplicaAttempt.replica_id == Replica.id)
        .where(Replica.build_id == build_id, Replica.server_id == server_id)
        .order_by(ReplicaAttempt.id.desc())
    )
    return [_attempt(row) for row in db.session.scalars(query)]


def attempts_of_build(game_id: str, number: int, server_id: str) -> list[Attempt]:
    """`replica_attempts` of a game's build, by its number."""
    build_id = db.session.scalar(select(Build.id).where(Build.game_id == game_id, Build.number == number))
    return replica_attempts(build_id, server_id) if build_id else []


def replica_on_server(build_id: str, server_id: str) -> ReplicaOnServer | None:
    """None if the server never had to do with the build, or is not active."""
    row = db.session.execute(
        select(Game.id, Game.title, Partner.name, Build.number)
        .select_from(Replica)
        .join(Server, Replica.server_id == Server.id)
        .join(Build, Replica.build_id == Build.id)
        .join(Game, Replica.game_id == Game.id)
        .join(Partner, Game.partner_id == Partner.id)
        .where(Replica.build_id == build_id, Replica.server_id == server_id, IS_ACTIVE)
    ).one_or_none()
    return ReplicaOnServer(*row, replica_attempts(build_id, server_id)) if row else None


def _attempt(row: ReplicaAttempt) -> Attempt:
    transfer_ended = row.fetched_at or row.ended_at
    rate = None
    if transfer_ended is not None:
        seconds, more = (transfer_ended - row.began_at).total_seconds(), row.last_bytes - row.first_bytes
        rate = round(more / seconds) if more > 0 and seconds >= MIN_RATE_SECONDS else None
    return Attempt(
        number=row.number,
        outcome=row.outcome,
        reason=row.reason,
        source=row.source,
        source_build=row.source_build,
        began_at=row.began_at,
        ended_at=row.ended_at,
        bytes_fetched=row.last_bytes if transfer_ended else None,
        bytes_per_second=rate,
    )
