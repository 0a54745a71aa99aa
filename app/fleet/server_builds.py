"""The builds that one server holds or should hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select

from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.partner import Partner
from app.data.models.server import PlaySession, Replica, Server, Source
from app.fleet.build_states import BuildState, build_state, reported_state

# Failed builds first, then active ones, then waiting ones, then the rest.
_ORDER = ("failed", "verifying", "downloading", "pending", "evicting", "cached")


@dataclass(frozen=True)
class ServerBuild:
    """One build on one server. `state`: as all pages show it; `before`: as of the last report. Bytes are of the
    transfer, except `bytes_unpacked`. `kept`: for rolling back. `fallback`: why the archive was used although there is
    a pack."""

    key: str  # the build's id, which tells rows apart
    game_id: str
    game: str
    slug: str
    partner: str
    build: int
    live: bool
    state: BuildState
    before: BuildState
    since: datetime
    bytes_done: int
    bytes_total: int
    bytes_unpacked: int
    bytes_per_second: int
    attempt: int
    reason: str | None
    retry_at: datetime | None
    sessions: int
    kept: bool
    source: Source | None
    source_build: int | None
    fallback: str | None


@dataclass(frozen=True)
class ServerBuilds:
    """The first builds, worst first, and how many there are in all."""

    shown: list[ServerBuild]
    count: int


def server_builds(server_id: str, max_rows: int, partner_id: str | None = None) -> ServerBuilds:
    """The builds of all games, or of those that a partner has. Two queries for any number of builds."""
    sessions = (
        select(func.count())
        .where(
            PlaySession.server_id == server_id,
            PlaySession.build_id == Replica.build_id,
            PlaySession.ended_at.is_(None),
        )
        .correlate(Replica)
        .scalar_subquery()
    )
    here = [Replica.server_id == server_id, Replica.phase != "removed"]
    if partner_id is not None:
        here += [Game.partner_id == partner_id, Game.deleted_at.is_(None)]
    order = case({phase: place for place, phase in enumerate(_ORDER)}, value=Replica.phase, else_=len(_ORDER))
    rows = db.session.execute(
        select(Replica, Build, Game, Partner.name, sessions.label("sessions"), Server.last_report_at)
        .join(Server, Replica.server_id == Server.id)
        .join(Build, Replica.build_id == Build.id)
        .join(Game, Replica.game_id == Game.id)
        .join(Partner, Game.partner_id == Partner.id)
        .where(*here)
        .order_by(order, Replica.attempt.desc(), Game.title, Game.id, Build.number.desc())
        .limit(max_rows)
    ).all()
    at = now()
    shown = [
        _holding(replica, build, game, partner, count, build_state(replica.phase, replica.attempt, reported_at, at))
        for replica, build, game, partner, count, reported_at in rows
    ]
    if len(rows) < max_rows:
        return ServerBuilds(shown, len(rows))
    counted = select(func.count()).select_from(Replica).join(Game, Replica.game_id == Game.id)
    return ServerBuilds(shown, db.session.scalar(counted.where(*here)) or 0)


def _holding(replica: Replica, build: Build, game: Game, partner: str, sessions: int, state: BuildState) -> ServerBuild:
    return ServerBuild(
        key=build.id,
        game_id=game.id,
        game=game.title,
        slug=game.slug,
        partner=partner,
        build=build.number,
        live=game.released_build_id == build.id,
        state=state,
        before=reported_state(replica.phase, replica.attempt),
        since=replica.since,
        bytes_done=replica.bytes_done,
        bytes_total=replica.bytes_total or build.size,
        bytes_unpacked=build.unpacked_bytes,
        bytes_per_second=replica.bytes_per_second,
        attempt=replica.attempt,
        reason=replica.reason,
        retry_at=replica.retry_at,
        sessions=sessions,
        kept=replica.kept,
        source=replica.source,
        source_build=replica.source_build,
        fallback=replica.fallback,
    )
