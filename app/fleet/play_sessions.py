"""Play sessions: agents start and end them, and their reports keep them active."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from app.data.database import announce, lock_for_update, writing
from app.data.extensions import db
from app.data.models.base import new_id, now
from app.data.models.game import Build, Game
from app.data.models.server import PlaySession, Replica, Server
from app.fleet.replicas import is_in_plan
from app.refusals import Conflict, NotFound
from app.topics.names import FLEET_TOPIC, game_topic, plan_topic


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
    """Begin a session on the released build if this server has cached it, else on the newest cached build that was
    released before. Only builds in the server's plan count. The same id again gives the same answer while the
    session runs. Raises NotFound for an unknown or deleted game, Conflict if no released build is cached here
    (`not_cached`), or the session with this id has ended (`session_ended`)."""
    try:
        return _start(server, game_id, session_id)
    except IntegrityError:  # two servers used the same id at the same moment
        raise _id_taken(str(session_id)) from None


def _start(server: Server, game_id: str, session_id: str | None) -> StartedSession:
    with writing() as session:
        lock_for_update(session, server)  # the same call may arrive again while the first is being answered
        if session_id:
            existing = session.get(PlaySession, session_id, options=[joinedload(PlaySession.build)])
            if existing is not None:
                if existing.server_id != server.id:
                    raise _id_taken(session_id)
                if existing.ended_at is not None:
                    raise Conflict(
                        f"Session '{session_id}' has ended. Use a new id, or leave the id out.", "session_ended"
                    )
                return _started(existing, existing.build, created=False)
        game = session.get(Game, game_id)
        if game is None or game.deleted_at is not None:
            raise NotFound(f"No game with id '{game_id}'; it may have been deleted. No new session can start.")
        build = _playable_build(session, server, game)
        row = PlaySession(id=session_id or new_id("session"), server_id=server.id, game_id=game.id, build_id=build.id)
        session.add(row)
        announce(game_topic(game.id), FLEET_TOPIC)
        return _started(row, build, created=True)


def _id_taken(session_id: str) -> Conflict:
    return Conflict(f"Session '{session_id}' belongs to another server. Leave the id out.", "id_taken")


def _playable_build(session: Session, server: Server, game: Game) -> Build:
    cached = session.scalars(
        select(Build)
        .join(Replica, Replica.build_id == Build.id)
        .where(
            Replica.server_id == server.id,
            Replica.game_id == game.id,
            Replica.phase == "cached",
            is_in_plan(server),
            Build.released_at.is_not(None),
        )
        .order_by(Build.released_at.desc())
    ).all()
    for build in cached:
        if build.id == game.released_build_id:
            return build
    if not cached:
        raise Conflict(
            f"No released build of '{game.slug}' is cached on '{server.id}' yet. Try again when it is.",
            "not_cached",
        )
    return cached[0]


def _started(row: PlaySession, build: Build, created: bool) -> StartedSession:
    path = f"{build.game_id}/{build.number}/{build.top_directory}"
    return StartedSession(row.id, build.game_id, build.number, path, build.launcher, created)


def end_session(server: Server, session_id: str) -> None:
    """End a session. Ending it again is no error. Raises NotFound."""
    with writing() as session:
        lock_for_update(session, server)
        row = session.get(PlaySession, session_id)
        if row is None or row.server_id != server.id:
            raise NotFound(f"No session '{session_id}' on '{server.id}'.")
        if row.ended_at is None:
            row.ended_at = now()
            announce(game_topic(row.game_id), plan_topic(server.id), FLEET_TOPIC)


def end_all(session: Session, server: Server) -> None:
    """End all sessions of a server that leaves the fleet: no report will end them. Inside writing()."""
    for row in session.scalars(
        select(PlaySession).where(PlaySession.server_id == server.id, PlaySession.ended_at.is_(None))
    ):
        row.ended_at = now()
        announce(game_topic(row.game_id))


def running_sessions(game_id: str) -> int:
    """How many sessions of a game run on all servers."""
    running = select(func.count()).where(PlaySession.game_id == game_id, PlaySession.ended_at.is_(None))
    return db.session.scalar(running) or 0
