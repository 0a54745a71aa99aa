"""Which builds should have a pack, and which packs are due to be made.

A pack is kept for builds that servers may get or start an update from: the live build, the newest builds of a game, and
every build that an active server holds or should hold. Packs of other builds are freed (`pack_removal`); their lists of
files stay. A list that somebody asks for is made like a pack, and nothing else is kept of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from app.data.claims import ClaimColumns
from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.pack import BuildPack
from app.data.models.server import Replica, Server

NEWEST_PACKED = 3  # builds per game that have packs although no server holds them: the next release is one of them
MAX_MAKINGS = 5
PAUSE_AFTER_FAILURE = timedelta(minutes=1)
PAUSE_WITHOUT_ROOM = timedelta(minutes=10)
CLAIMS = ClaimColumns(BuildPack.build_id, BuildPack.maker, BuildPack.makings_begun, BuildPack.touched_at)


def is_needed() -> ColumnElement[bool]:
    """Whether a build should have a pack. For queries that join Build and Game."""
    on_server = exists().where(
        Replica.build_id == Build.id,
        Replica.phase.not_in(["evicting", "removed"]),
        Replica.server_id == Server.id,
        Server.retired_at.is_(None),
    )
    newest = Build.number >= Game.next_build_number - NEWEST_PACKED
    return and_(Game.deleted_at.is_(None), or_(_is_live(), newest, on_server))


def _is_live() -> ColumnElement[bool]:
    return Build.id == func.coalesce(Game.released_build_id, "")  # never NULL: it is negated, and orders


def due_packs() -> Sequence[str]:
    """Ids of the builds whose packs or lists can be made now, the most urgent first: live builds, then the newest
    ones, then lists that nobody but a reader waits for."""
    return _wanted(or_(BuildPack.build_id.is_(None), is_due()))


def unready_packs(game_ids: Sequence[str] | None) -> Sequence[str]:
    """As `due_packs`, with those that failed or wait, of some games or (None) of all."""
    unready = or_(BuildPack.build_id.is_(None), BuildPack.state != "ready")
    return _wanted(unready if game_ids is None else and_(unready, Game.id.in_(game_ids)))


def suspected_packs() -> Sequence[str]:
    """Ids of the builds whose packs servers could not use, and nobody has checked since."""
    found = db.session.scalars(select(BuildPack.build_id).where(BuildPack.state == "ready", BuildPack.suspected)).all()
    free_connection()
    return found


def ready_packs(game_ids: Sequence[str] | None) -> Sequence[str]:
    """Ids of the builds with packs, of some games or (None) of all."""
    query = select(BuildPack.build_id).join(Build, BuildPack.build_id == Build.id).where(BuildPack.state == "ready")
    found = db.session.scalars(query if game_ids is None else query.where(Build.game_id.in_(game_ids))).all()
    free_connection()
    return found


def is_wanted() -> ColumnElement[bool]:
    """Whether a build should have a pack, or at least its list of files. For queries that join Build and Game, and
    BuildPack where there is one."""
    return or_(is_needed(), and_(Game.deleted_at.is_(None), BuildPack.list_requested))


def _wanted(condition: ColumnElement[bool]) -> Sequence[str]:
    found = db.session.scalars(
        select(Build.id)
        .join(Game, Build.game_id == Game.id)
        .outerjoin(BuildPack, BuildPack.build_id == Build.id)
        .where(is_wanted(), condition)
        .order_by(_is_live().desc(), is_needed().desc(), Build.created_at.desc())
    ).all()
    free_connection()
    return found


def is_due() -> ColumnElement[bool]:
    """Whether a wanted pack waits to be made, or its maker died."""
    failed_just_now = and_(BuildPack.makings_begun > 0, BuildPack.touched_at > now() - PAUSE_AFTER_FAILURE)
    return or_(
        and_(BuildPack.state == "waiting", ~failed_just_now),
        BuildPack.state == "listed",
        and_(BuildPack.state == "making", CLAIMS.is_free()),
        and_(BuildPack.state == "no_room", BuildPack.touched_at < now() - PAUSE_WITHOUT_ROOM),
    )
