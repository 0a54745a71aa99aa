"""The plan of one server: which builds to hold, where to fetch them, what to evict."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, func, literal, or_, select

from app.data.database import free_connection
from app.data.models.audit_record import Topic
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.pack import BuildPack
from app.data.models.server import Replica, Server
from app.data.prepared_reads import PreparedRead
from app.fleet.servers import RecognisedServer
from app.limits import thread_budgets
from app.limits.slots import Owner
from app.packing.planned_packs import PACK_COLUMNS, PackPreparing, PlannedPack, pack_of, planned_packs
from app.storage.bucket import bucket
from app.topics.event_hub import hub
from app.topics.names import plan_topic

MAX_WAIT_SECONDS = 25.0
# Of one server at once. An agent waits with one; a restarted agent leaves its last one behind for a while.
MAX_POLLS = 4
STOPPING_POLL_AFTER = 2  # seconds; a stopping process lets no poll wait
# After a release to 500 servers, 500 polls have their plan to read. All at once they would keep each other from the
# interpreter: the same work takes half as long again.
MAX_READING = 8
_reading = threading.BoundedSemaphore(MAX_READING)
URL_LIFETIME = timedelta(hours=12)  # a slow server may need hours for a build; after a 403 the agent asks for a new URL


@dataclass(frozen=True)
class PlannedBuild:
    game_id: str
    slug: str
    build: int
    size: int
    checksum: str
    unpacked_bytes: int
    top_directory: str
    launcher: str
    archive_url: str
    url_expires_at: datetime
    active: bool
    retry: int
    keep: bool  # only for rolling back: the server keeps it if it is whole, and never fetches it
    pack: PlannedPack | PackPreparing | None


@dataclass(frozen=True)
class Plan:
    version: int
    poll_after_seconds: int
    builds: list[PlannedBuild]
    evict: list[tuple[str, int]]  # (game id, build number)


def plan_for(server: RecognisedServer, since: int | None, wait: float) -> Plan:
    """The server's plan. If its version is `since`, waits up to `wait` seconds for a change.

    No database connection is held while waiting. If all slots for waiting polls are in use, or this server's share of
    them is, the answer comes at once, with `poll_after_seconds` > 0.
    """
    free_connection()  # all reads here are prepared ones
    server_id = server.id
    # The stored version, not the hub's: after a change by another process, this process's hub may be 2 s behind, and an
    # agent that gets two numbers in turn would poll without end.
    if since is None or wait <= 0 or server.plan_version != since:
        return _read_plan(server_id)
    slots = thread_budgets.waiting_polls
    owner = Owner(f"server {server_id}", server_id, "server", MAX_POLLS)
    if not slots.try_acquire(owner):
        return _read_plan(server_id, slots.retry_after)
    try:
        hub.wait(plan_topic(server_id), since, min(wait, MAX_WAIT_SECONDS))
        # Still in its slot: after a release, the polls of a whole fleet read here, and must not count as calls, which
        # would be refused meanwhile.
        return _read_plan(server_id, STOPPING_POLL_AFTER if hub.stopping else 0)
    finally:
        slots.free(owner)


def _read_plan(server_id: str, poll_after: int = 0) -> Plan:
    with _reading:
        return _plan_of(server_id, poll_after)


def _plan_of(server_id: str, poll_after: int) -> Plan:
    found = _PLACED.all(server=server_id)
    version = found[0].version if found else 0  # a server that was deleted a moment ago has no row
    paused = any(row.paused_at is not None for row in found)
    rows = [row.build for row in found if row.build is not None]
    planned = [row for row in rows if (_stays_while_paused(row) if paused else row.wanted or row.kept)]
    evicted = [] if paused else [row for row in rows if not (row.wanted or row.kept)]
    expires = now() + URL_LIFETIME
    packs = planned_packs(server_id, planned, _cached_builds(rows), URL_LIFETIME)
    builds = [_planned(row, expires, packs.get(row.build_id)) for row in planned]
    return Plan(version, poll_after, builds, [(row.game_id, row.number) for row in evicted])


@dataclass(frozen=True)
class _PlacedBuild:
    """A build that the server holds or should hold."""

    build_id: str
    pack: BuildPack | None
    game_id: str
    number: int
    phase: str
    wanted: bool
    kept: bool
    left_plan_at: datetime | None
    retries_asked: int
    slug: str
    released_build_id: str | None
    size: int
    sha256: str
    unpacked_bytes: int
    top_directory: str
    launcher: str
    object_key: str


@dataclass(frozen=True)
class _PlanRow:
    """One build of the server, or None in the only row of a server without builds. `version`: of its plan."""

    version: int
    paused_at: datetime | None
    build: _PlacedBuild | None

    @classmethod
    def of(cls, version: int, paused_at: datetime | None, build_id: str | None, *values: Any) -> _PlanRow:
        if build_id is None:
            return cls(version, paused_at, None)
        pack, own = values[: len(PACK_COLUMNS)], values[len(PACK_COLUMNS) :]
        return cls(version, paused_at, _PlacedBuild(build_id, pack_of(pack), *own))


# In one statement, so that a release to 500 servers is not 500 times the work of a session, and the version is that of
# the rows.
_PLACED = PreparedRead(
    select(
        func.coalesce(Topic.version, 0),
        Server.paused_at,
        Replica.build_id,
        *PACK_COLUMNS,
        Replica.game_id,
        Build.number,
        Replica.phase,
        Replica.wanted,
        Replica.kept,
        Replica.left_plan_at,
        Replica.retries_asked,
        Game.slug,
        Game.released_build_id,
        Build.size,
        Build.sha256,
        Build.unpacked_bytes,
        Build.top_directory,
        Build.launcher,
        Build.object_key,
    )
    .select_from(Server)
    .outerjoin(Topic, Topic.name == literal(plan_topic("")) + Server.id)
    .outerjoin(Replica, and_(Replica.server_id == Server.id, or_(Replica.wanted, Replica.phase != "removed")))
    .outerjoin(Build, Replica.build_id == Build.id)
    .outerjoin(Game, Build.game_id == Game.id)
    .outerjoin(BuildPack, BuildPack.build_id == Replica.build_id)
    .where(Server.id == bindparam("server"))
    .order_by(Build.released_at),
    _PlanRow.of,
)


def _cached_builds(rows: Sequence[_PlacedBuild]) -> Mapping[str, Sequence[_PlacedBuild]]:
    """The builds that the server has cached by its reports, by game id."""
    found: dict[str, list[_PlacedBuild]] = defaultdict(list)
    for row in rows:
        if row.phase == "cached":
            found[row.game_id].append(row)
    return found


def _stays_while_paused(row: _PlacedBuild) -> bool:
    """Never for builds that only the server's reports name, because the plan also gives the address of a build."""
    return row.phase == "cached" and (row.wanted or row.kept or row.left_plan_at is not None)


def _planned(row: _PlacedBuild, expires: datetime, pack: PlannedPack | PackPreparing | None) -> PlannedBuild:
    return PlannedBuild(
        game_id=row.game_id,
        slug=row.slug,
        build=row.number,
        size=row.size,
        checksum=f"sha256:{row.sha256}",
        unpacked_bytes=row.unpacked_bytes,
        top_directory=row.top_directory,
        launcher=row.launcher,
        archive_url=bucket().agent_url(row.object_key, URL_LIFETIME),
        url_expires_at=expires,
        active=row.released_build_id == row.build_id,
        retry=row.retries_asked,
        keep=row.kept,
        pack=pack,
    )
