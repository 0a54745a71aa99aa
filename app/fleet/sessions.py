"""Play sessions: started and ended by agents, kept alive by their reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.database import announce, writing
from app.extensions import db
from app.fleet.events import FLEET_TOPIC, game_topic, plan_topic
from app.models import Build, Game, PlaySession, Replica, Server, new_id, now
from app.refusals import Conflict, NotFound

REPORTS_TO_MISS = 2


@dataclass(frozen=True)
class LiveSession:
    """A session as an agent reports it."""

    id: str
    game_id: str
    build: int
    started_at: datetime


@dataclass(frozen=True)
class StartedSession:
    id: str
    game_id: str
    build: int
    path: str  # relative to the agent's cache
    launcher: str
    created: bool


def start_session(server: Server, game_id: str, session_id: str | None) -> StartedSession:
    """Begin a session on the released build if this server has it cached, else on the newest cached one that was
    released before. The same id again gives the same answer. Raises NotFound for an unknown or deleted game, Conflict
    (`not_cached`) when nothing released is cached here."""
    with writing() as session:
        if session_id:
            existing = session.get(PlaySession, session_id, options=[joinedload(PlaySession.build)])
            if existing is not None:
                if existing.server_id != server.id:
                    raise Conflict(f"Session '{session_id}' belongs to another server. Leave the id out.", "id_taken")
                return _started(existing, existing.build, created=False)
        game = session.get(Game, game_id)
        if game is None or game.deleted_at is not None:
            raise NotFound(f"No game with id '{game_id}'; it may have been deleted. No new session can start.")
        build = _playable_build(session, server, game)
        row = PlaySession(id=session_id or new_id("session"), server_id=server.id, game_id=game.id, build_id=build.id)
        session.add(row)
        announce(game_topic(game.id), FLEET_TOPIC)
        return _started(row, build, created=True)


def _playable_build(session: Session, server: Server, game: Game) -> Build:
    cached = session.scalars(
        select(Build)
        .join(Replica, Replica.build_id == Build.id)
        .where(
            Replica.server_id == server.id,
            Replica.game_id == game.id,
            Replica.phase == "cached",
            Build.released_at.is_not(None),
        )
        .order_by(Build.released_at.desc())
    ).all()
    for build in cached:
        if build.id == game.released_build_id:
            return build
    if not cached:
        raise Conflict(
            f"No released build of '{game.slug}' is cached on '{server.id}' yet. Try again when its build has arrived.",
            "not_cached",
        )
    return cached[0]


def _started(row: PlaySession, build: Build, created: bool) -> StartedSession:
    path = f"{build.game_id}/{build.number}/{build.top_directory}"
    return StartedSession(row.id, build.game_id, build.number, path, build.launcher, created)


def end_session(server: Server, session_id: str) -> None:
    """End a session; ending one that has ended is fine. Raises NotFound."""
    with writing() as session:
        row = session.get(PlaySession, session_id)
        if row is None or row.server_id != server.id:
            raise NotFound(f"No session '{session_id}' on '{server.id}'.")
        if row.ended_at is None:
            row.ended_at = now()
            announce(game_topic(row.game_id), plan_topic(server.id), FLEET_TOPIC)


def match_sessions(session: Session, server: Server, live: Sequence[LiveSession], at: datetime) -> None:
    """Bring the rows in line with a report: sessions begun while the platform was unreachable are added, those missing
    from two reports have ended. Inside writing()."""
    rows = session.scalars(
        select(PlaySession).where(PlaySession.server_id == server.id, PlaySession.ended_at.is_(None))
    ).all()
    named = {s.id: s for s in live}
    for row in rows:
        if row.id in named:
            row.missed_reports = 0
            continue
        row.missed_reports += 1
        if row.missed_reports >= REPORTS_TO_MISS:
            row.ended_at = at
            announce(game_topic(row.game_id), plan_topic(server.id))
    for unknown in set(named) - {row.id for row in rows}:
        _adopt(session, server, named[unknown])


def _adopt(session: Session, server: Server, live: LiveSession) -> None:
    existing = session.get(PlaySession, live.id)
    if existing is not None:
        if existing.server_id == server.id:
            existing.ended_at = None  # the agent knows best whether the process runs
            existing.missed_reports = 0
        return
    build = session.scalar(select(Build).where(Build.game_id == live.game_id, Build.number == live.build))
    if build is not None:
        session.add(
            PlaySession(
                id=live.id,
                server_id=server.id,
                game_id=build.game_id,
                build_id=build.id,
                started_at=live.started_at,
            )
        )
        announce(game_topic(build.game_id))


def running_sessions(game_id: str) -> int:
    """How many sessions of a game run anywhere."""
    return len(
        db.session.scalars(
            select(PlaySession.id).where(PlaySession.game_id == game_id, PlaySession.ended_at.is_(None))
        ).all()
    )
