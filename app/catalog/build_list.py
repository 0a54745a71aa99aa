"""A game's builds: listing, finding, notes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.catalog.build_filters import BuildFilter, FoundBuilds, find_builds
from app.catalog.refused_archives import RefusedArchive, refused_archives
from app.data.database import announce, lock_for_update, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.server import Replica, Server
from app.data.text_search import contains
from app.fleet.active_servers import active_server_count, is_cached
from app.fleet.contact import contact_begins
from app.fleet.costs.transfer_costs import TransferCosts, transfer_costs
from app.packing.pack_states import PackStatus, pack_states
from app.refusals import NotFound
from app.topics.names import game_topic


@dataclass(frozen=True)
class BuildUpdate:
    """What a server fetches for a build if it holds build number `from_build`, as `servers` servers do. `preparing`:
    the update is being prepared for them; until it is ready, `bytes` is the size of the archive."""

    from_build: int
    bytes: int
    preparing: bool
    servers: int


@dataclass(frozen=True)
class ListedBuild:
    """`cached_on`: how many servers have cached the build. `update`: from the live build; of the live build itself,
    from the one that was live before. `pack`: None if no server needs one."""

    build: Build
    released: bool
    cached_on: int
    update: BuildUpdate | None
    pack: PackStatus | None


@dataclass(frozen=True)
class BuildPage:
    """`total`: of all pages. `next_cursor`: where the next page begins, or None at the end."""

    builds: Sequence[ListedBuild]
    total: int
    next_cursor: str | None


def list_builds(game: Game, wanted: BuildFilter) -> BuildPage:
    """Eight queries for any number of builds, and one more for a text. Raises InvalidRequest for an unknown cursor."""
    found = find_builds(game, wanted)
    return BuildPage(_listed(game, found.builds), found.total, found.next_cursor)


def listed_build(game: Game, build: Build) -> ListedBuild:
    """One build as lists show it."""
    return _listed(game, [build])[0]


def _listed(game: Game, builds: Sequence[Build]) -> list[ListedBuild]:
    cached, live = cached_counts(game), live_build(game)
    before = live_before(game) if live in builds else None
    costs = transfer_costs({build.id for build in (*builds, live, before) if build})
    packs = pack_states([build.id for build in builds])

    def listed(build: Build) -> ListedBuild:
        is_live = build.id == game.released_build_id
        older = before if is_live else live
        update = _update(build, older, costs, cached) if older else None
        return ListedBuild(build, is_live, cached[build.id], update, packs.get(build.id))

    return [listed(build) for build in builds]


def _update(build: Build, older: Build, costs: TransferCosts, cached: Counter[str]) -> BuildUpdate:
    servers = cached[older.id]
    preparing = servers > 0 and costs.preparing_percent(build.id) is not None
    return BuildUpdate(older.number, costs.from_build(build, older).bytes, preparing, servers)


def live_before(game: Game) -> Build | None:
    """The build that was live before the live one, if it still exists."""
    others = select(Build).where(Build.game_id == game.id, Build.id != game.released_build_id)
    return db.session.scalar(others.where(Build.released_at.is_not(None)).order_by(Build.released_at.desc()).limit(1))


@dataclass(frozen=True)
class BuildTable:
    """A game's builds as the dashboard's table shows them. `refused`: what was rejected meanwhile; `cached`: build id
    → how many of the `servers` have cached it; `packs`: build id → its pack; `costs`: of fetching these builds;
    `counts`: of builds by status, for the text; `total`: of all pages; `next_cursor`: where the next page begins, or
    None at the end."""

    builds: Sequence[Build]
    refused: Sequence[RefusedArchive]
    cached: Mapping[str, int]
    packs: Mapping[str, PackStatus]
    servers: int
    live: Build | None
    costs: TransferCosts
    counts: Mapping[str, int]
    total: int
    next_cursor: str | None


def build_table(game: Game, wanted: BuildFilter) -> BuildTable:
    """Eight queries for any number of builds, and one more for a text. Raises InvalidRequest for an unknown cursor."""
    found = find_builds(game, wanted)
    builds, live = found.builds, live_build(game)
    return BuildTable(
        builds=builds,
        refused=_refused_meanwhile(game, wanted, found),
        cached=cached_counts(game),
        packs=pack_states([build.id for build in builds]),
        servers=active_server_count(),
        live=live,
        costs=transfer_costs({build.id for build in (*builds, *([live] if live else []))}),
        counts=found.counts,
        total=found.total,
        next_cursor=found.next_cursor,
    )


def _refused_meanwhile(game: Game, wanted: BuildFilter, found: FoundBuilds) -> Sequence[RefusedArchive]:
    """Rejected archives are on the first page, with the text of the filter. Beside the newest builds, those that are
    older than these are left out."""
    if wanted.after or wanted.status:
        return []
    refused = refused_archives(game)
    if wanted.text:
        return [each for each in refused if contains(wanted.text, each.texts)]
    oldest = found.builds[-1].created_at if found.next_cursor and not wanted.sort else None
    return [each for each in refused if oldest is None or each.newest.at > oldest]


def live_build(game: Game) -> Build | None:
    return db.session.scalar(select(Build).where(Build.id == game.released_build_id))


def cached_counts(game: Game) -> Counter[str]:
    """Build id → how many servers have cached it."""
    rows = db.session.execute(
        select(Replica.build_id, func.count())
        .join(Server, Replica.server_id == Server.id)
        .where(Replica.game_id == game.id, *is_cached(contact_begins(now())))
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
