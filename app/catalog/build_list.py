"""A game's builds: listing, finding, notes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from app.accounts.actors import Actor
from app.accounts.audit_history import refused_builds
from app.accounts.audit_log import record
from app.data.cursors import number_position
from app.data.database import announce, lock_for_update, writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Build, Game
from app.data.models.server import Replica, Server
from app.fleet.active_servers import IS_ACTIVE, active_server_count
from app.packing.pack_states import PackStatus, pack_states
from app.refusals import NotFound
from app.topics.names import game_topic


@dataclass(frozen=True)
class ListedBuild:
    """`cached_on`: how many servers have cached the build. `pack`: None if no server needs one."""

    build: Build
    released: bool
    cached_on: int
    pack: PackStatus | None


@dataclass(frozen=True)
class BuildPage:
    """Newest first. `next_cursor` is where the next page begins, or None at the end."""

    builds: Sequence[ListedBuild]
    total: int
    next_cursor: str | None


def list_builds(game: Game, limit: int | None = None, cursor: str | None = None) -> BuildPage:
    """Five queries for any number of builds. Raises InvalidRequest for an unknown cursor."""
    total = db.session.scalar(select(func.count()).where(Build.game_id == game.id)) or 0
    query = select(Build).where(Build.game_id == game.id).order_by(Build.number.desc())
    if cursor is not None:
        query = query.where(Build.number < number_position(cursor))
    if limit is not None:
        query = query.limit(limit + 1)
    found = db.session.scalars(query).all()
    builds = found if limit is None else found[:limit]
    cached = cached_counts(game)
    packs = pack_states([build.id for build in builds])
    listed = [
        ListedBuild(build, build.id == game.released_build_id, cached[build.id], packs.get(build.id))
        for build in builds
    ]
    return BuildPage(listed, total, str(builds[-1].number) if len(builds) < len(found) else None)


@dataclass(frozen=True)
class BuildTable:
    """A game's builds as the dashboard's table shows them: newest first, with refused archives in between. `cached`:
    build id → how many of the `servers` have cached it; `packs`: build id → its pack; `live`: the live build's number;
    `older`: where the next page begins, or None at the end."""

    builds: Sequence[Build]
    refused: Sequence[AuditEntry]
    cached: Mapping[str, int]
    packs: Mapping[str, PackStatus]
    servers: int
    live: int | None
    total: int
    older: int | None


def build_table(game: Game, limit: int, before: int | None = None) -> BuildTable:
    """Eight queries for any number of builds. Refusals are sorted in by time; those older than this page's builds are
    left out."""
    query = select(Build).where(Build.game_id == game.id).order_by(Build.number.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(Build.number < before)
    found = db.session.scalars(query).all()
    builds = found[:limit]
    more = len(found) > limit
    oldest = builds[-1].created_at if more else None
    refused = refused_builds(game) if before is None else []
    return BuildTable(
        builds=builds,
        refused=[entry for entry in refused if oldest is None or entry.at > oldest],
        cached=cached_counts(game),
        packs=pack_states([build.id for build in builds]),
        servers=active_server_count(),
        live=live_number(game),
        total=db.session.scalar(select(func.count()).where(Build.game_id == game.id)) or 0,
        older=builds[-1].number if more else None,
    )


def live_number(game: Game) -> int | None:
    """The number of the live build."""
    return db.session.scalar(select(Build.number).where(Build.id == game.released_build_id))


def listed_build(game: Game, build: Build) -> ListedBuild:
    """One build as lists show it."""
    pack = pack_states([build.id]).get(build.id)
    return ListedBuild(build, build.id == game.released_build_id, cached_counts(game)[build.id], pack)


def cached_counts(game: Game) -> Counter[str]:
    """Build id → how many servers have cached it."""
    rows = db.session.execute(
        select(Replica.build_id, func.count())
        .join(Server, Replica.server_id == Server.id)
        .where(Replica.game_id == game.id, Replica.phase == "cached", IS_ACTIVE)
        .group_by(Replica.build_id)
    )
    return Counter(dict(rows.all()))


def find_build(game: Game, number: str) -> Build:
    """A build of this game by its number. Raises NotFound."""
    build = None
    if re.fullmatch(r"[1-9][0-9]{0,8}", number):
        build = db.session.scalar(select(Build).where(Build.game_id == game.id, Build.number == int(number)))
    if build is None:
        raise NotFound(f"'{game.slug}' has no build {number}. It may have been deleted.")
    return build


def set_note(game: Game, build: Build, note: str | None, actor: Actor) -> Build:
    """Change a build's note, the only part of a build that can change. Raises NotFound if it was deleted meanwhile."""
    with writing() as session:
        lock_for_update(session, build)
        if build.note != note:
            build.note = note
            record(session, actor, "build.noted", f"{game.title}, build {build.number}", game=game, note=note)
            announce(game_topic(game.id))
    return build
