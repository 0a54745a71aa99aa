"""Which builds are kept, and how a build is deleted: first the row, then the object. If the process dies in between,
the sweep deletes the object.

Never deleted: the released build, builds with running sessions, and builds that a server's plan wants. A build that a
server only keeps for rolling back is deleted when a person asks for it, but not by retention.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.data.database import announce, free_connection, lock_for_update, writing
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.server import PlaySession, Replica, Server
from app.fleet.active_servers import IS_ACTIVE
from app.packing.pack_objects import NamedObject, pack_objects
from app.process.crash_points import crash_point
from app.refusals import Conflict, NotFound, Refusal
from app.storage.bucket import bucket
from app.topics.names import catalog_topic, game_topic, partner_topic, plan_topic

log = logging.getLogger(__name__)

RETENTION = Actor("retention")
BATCH_SIZE = 200  # builds per transaction


def delete_build(game: Game, number: int, actor: Actor) -> None:
    """Delete a build and its bytes. Raises NotFound, or Conflict (`build_released`, `build_in_use`) with the reason."""
    with writing() as session:
        lock_for_update(session, game)
        build = session.scalar(select(Build).where(Build.game_id == game.id, Build.number == number))
        if build is None or game.deleted_at is not None:
            raise NotFound(f"'{game.slug}' has no build {number}. It may have been deleted.")
        if game.released_build_id == build.id:
            raise Conflict(f"Build {number} is live. Release another build first.", "build_released")
        if not _lock_unused(session, [build.id]):
            raise _in_use(session, build)
        objects = objects_of(session, [build])
        _remove(session, game, build, actor)
    _remove_objects(objects)


def apply_retention(game_id: str) -> list[int]:
    """Delete the builds that exceed a game's `keep_builds`, except the newest ones and those in use. Returns the sizes
    of the deleted objects: archives and packs. Repeatable."""
    sizes: list[int] = []
    while removed := _remove_oldest(game_id):
        sizes += [found.size for found in removed]
    return sizes


def _remove_oldest(game_id: str) -> Sequence[NamedObject]:
    """One batch; empty when nothing is left to delete."""
    with writing() as session:
        game = session.get(Game, game_id, with_for_update={"key_share": True}, populate_existing=True)
        if game is None or game.deleted_at is not None or game.keep_builds is None:
            return []
        newest = select(Build.id).where(Build.game_id == game_id).order_by(Build.number.desc()).limit(game.keep_builds)
        older = (
            select(Build.id)
            .where(Build.game_id == game_id, Build.id.not_in(newest), Build.id != (game.released_build_id or ""))
            .where(~in_use(), ~_is_kept())
            .order_by(Build.number)
            .limit(BATCH_SIZE)
        )
        builds = _lock_unused(session, session.scalars(older).all(), ~_is_kept())
        objects = objects_of(session, builds)
        for build in builds:
            _remove(session, game, build, RETENTION, keep=game.keep_builds)
    _remove_objects(objects)
    return objects


def _lock_unused(session: Session, build_ids: Sequence[str], *also: ColumnElement[bool]) -> Sequence[Build]:
    """The unused builds among these that meet all other conditions, locked until the transaction ends.

    Replicas come first, by id: a report also locks them before it refers to a build. Use is checked in a second
    statement, after the builds are locked: only then is a session visible that began while we waited for its build.
    """
    session.execute(select(Replica.id).where(Replica.build_id.in_(build_ids)).order_by(Replica.id).with_for_update())
    session.execute(select(Build.id).where(Build.id.in_(build_ids)).order_by(Build.id).with_for_update())
    free = select(Build).where(Build.id.in_(build_ids), ~in_use(), *also).order_by(Build.number)
    return session.scalars(free).all()


def apply_retention_later(game_id: str) -> None:
    """`apply_retention()` after a build was published or released. Its errors are logged and left to the sweep. Frees
    the connection; loaded objects stay readable."""
    free_connection()
    try:
        apply_retention(game_id)
    except Exception:
        log.exception("retention of game %s is left to the sweep", game_id)
    finally:
        free_connection()


def apply_retention_to_all() -> list[int]:
    """Apply retention to every game with more builds than it keeps. Returns the sizes of the deleted objects."""
    games = db.session.scalars(
        select(Game.id)
        .join(Build, Build.game_id == Game.id)
        .where(Game.keep_builds.is_not(None), Game.deleted_at.is_(None))
        .group_by(Game.id)
        .having(func.count() > Game.keep_builds)
    ).all()
    free_connection()
    return [size for game_id in games for size in apply_retention(game_id)]


def in_use() -> ColumnElement[bool]:
    """Whether a session runs on the build, or a server's plan names it. On a paused server, where nothing may change,
    also cached builds that left the plan."""
    playing = exists().where(PlaySession.build_id == Build.id, PlaySession.ended_at.is_(None))
    left = or_(Replica.kept, Replica.left_plan_at.is_not(None))
    planned = or_(Replica.wanted, and_(Server.paused_at.is_not(None), Replica.phase == "cached", left))
    in_plan = exists().where(Replica.build_id == Build.id, Replica.server_id == Server.id, IS_ACTIVE, planned)
    return or_(playing, in_plan)


def _is_kept() -> ColumnElement[bool]:
    """Whether a server keeps the build for rolling back."""
    return exists().where(Replica.build_id == Build.id, Replica.server_id == Server.id, IS_ACTIVE, Replica.kept)


def _in_use(session: Session, build: Build) -> Conflict:
    servers = session.scalars(
        select(Server.id)
        .join(Replica, Replica.server_id == Server.id)
        .where(Replica.build_id == build.id, IS_ACTIVE, Replica.phase != "removed")
        .order_by(Server.id)
    ).all()
    playing = session.scalar(
        select(func.count()).where(PlaySession.build_id == build.id, PlaySession.ended_at.is_(None))
    )
    sessions = f" {playing} {'session runs' if playing == 1 else 'sessions run'} on it." if playing else ""
    return Conflict(
        f"Build {build.number} is in use on {', '.join(servers) or 'a server'}.{sessions} Try again when the released "
        "build is cached there and no session runs on this one.",
        "build_in_use",
    )


def _remove(session: Session, game: Game, build: Build, actor: Actor, **why: Any) -> None:
    servers = session.scalars(select(Replica.server_id).where(Replica.build_id == build.id)).all()
    session.execute(delete(Build).where(Build.id == build.id))
    subject = f"{game.title}, build {build.number}"
    record(session, actor, "build.deleted", subject, game=game, size=build.size, checksum=build.checksum, **why)
    announce(game_topic(game.id), partner_topic(game.partner_id), catalog_topic(game.partner_id))
    announce(*(plan_topic(server_id) for server_id in servers))


def objects_of(session: Session, builds: Sequence[Build]) -> list[NamedObject]:
    """All objects of these builds: archives, packs and updates."""
    archives = [NamedObject(build.object_key, build.size) for build in builds]
    return archives + pack_objects(session, [build.id for build in builds])


def _remove_objects(objects: Sequence[NamedObject]) -> None:
    free_connection()
    if not objects:
        return
    crash_point("build-removed")
    try:
        bucket().delete(found.key for found in objects)
    except Refusal as error:
        log.warning("%s objects are left to the sweep: %s", len(objects), error)
