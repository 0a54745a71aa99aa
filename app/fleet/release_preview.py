"""The cost of a release: how much each server downloads, exact to the byte, and which sessions continue."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.server import PlaySession, Replica, Server
from app.fleet.active_servers import active_servers, has_contact
from app.fleet.build_states import BuildState, state_of
from app.fleet.costs.transfer_costs import (
    TransferCosts,
    Way,
    bytes_to_fetch,
    transfer_costs,
)
from app.fleet.replicas import builds_after_release
from app.fleet.rollout_states import percent_of
from app.packing.transfers import transfer_between
from app.storage.bucket import StorageError

log = logging.getLogger(__name__)

MAX_MEASURED = 5  # updates per preview


@dataclass(frozen=True)
class ServerPreview:
    """`has`: numbers of the builds cached there, newest release first. `state`: of the build to release, as in the
    matrix. Bytes: still to download, instead of the complete archive in `bytes_of`. `way`: how it comes there, and for
    an update from which build. `preparing`: the server will wait for the update that is being prepared; until its size
    is known, `bytes_to_fetch` is that of the archive, the most that it can be. `live_state` and `live_percent`: of the
    live build there, None and 0 without one."""

    server_id: str
    region: str
    has: list[int]
    state: BuildState
    bytes_to_fetch: int
    bytes_of: int
    way: Way
    from_build: int | None
    preparing: bool
    free_bytes: int | None
    contact: bool
    paused: bool
    reported_at: datetime | None
    live_state: str | None
    live_percent: int


@dataclass(frozen=True)
class ReleasePreview:
    """`live`: the live build's number, and `live_version` its label. `changes`: False if the build is live already."""

    build: Build
    live: int | None
    live_version: str | None
    servers: Sequence[ServerPreview]
    sessions: int

    @property
    def changes(self) -> bool:
        return self.live != self.build.number

    @property
    def bytes_to_fetch(self) -> int:
        return sum(server.bytes_to_fetch for server in self.servers)

    @property
    def preparing(self) -> bool:
        return any(server.preparing for server in self.servers)


def preview(game: Game, build: Build, *, measure: bool = False) -> ReleasePreview:
    """Six queries for any number of servers and builds.

    `measure`: also measure updates that servers will need and that have no size yet, at most MAX_MEASURED. That reads
    two indexes each from storage, and frees the database connection.
    """
    if measure:
        _measure_updates(game, build)
    at = now()
    servers = active_servers()
    replicas = _replicas(game)
    by_server: dict[str, list[Replica]] = {server.id: [] for server in servers}
    for replica in replicas:
        by_server.get(replica.server_id, []).append(replica)
    costs = transfer_costs({build.id, *(replica.build_id for replica in replicas)})
    sessions = db.session.scalar(
        select(func.count()).where(
            PlaySession.game_id == game.id, PlaySession.build_id != build.id, PlaySession.ended_at.is_(None)
        )
    )
    live = db.session.execute(
        select(Build.number, Build.version_label).where(Build.id == game.released_build_id)
    ).one_or_none()
    live_id = game.released_build_id
    found = [_of_server(server, by_server[server.id], build, costs, at, live_id) for server in servers]
    return ReleasePreview(
        build, live.number if live else None, live.version_label if live else None, found, sessions or 0
    )


def _replicas(game: Game) -> Sequence[Replica]:
    return db.session.scalars(
        select(Replica).where(Replica.game_id == game.id).options(joinedload(Replica.build))
    ).all()


def _measure_updates(game: Game, build: Build) -> None:
    """Measure the updates to `build` from the builds that servers hold. Storage that does not answer leaves them
    unmeasured: a preview is no reason to refuse a release."""
    active = {server.id for server in active_servers()}
    on_servers: dict[str, set[str]] = defaultdict(set)
    builds: dict[str, Build] = {}
    for replica in _replicas(game):
        if replica.phase == "cached" and replica.server_id in active:
            on_servers[replica.server_id].add(replica.build_id)
            builds[replica.build_id] = replica.build
    needed = {held for there in on_servers.values() if build.id not in there for held in there}
    costs = transfer_costs({build.id, *needed})
    missing = [builds[held] for held in sorted(needed) if not costs.is_measured(build.id, held)]
    free_connection()
    for held in missing[:MAX_MEASURED]:
        try:
            transfer_between(held, build)
        except StorageError as error:
            log.warning("an update was not measured: %s", error)
            return


def _of_server(
    server: Server, replicas: Sequence[Replica], build: Build, costs: TransferCosts, at: datetime, live_id: str | None
) -> ServerPreview:
    cached = [replica.build for replica in replicas if replica.phase == "cached"]
    cached.sort(key=lambda other: (other.released_at or other.created_at, other.number), reverse=True)
    by_build = {replica.build_id: replica for replica in replicas}
    replica, live = by_build.get(build.id), by_build.get(live_id or "")
    cost = costs.for_server(build, builds_after_release(build.id, server, replicas))
    return ServerPreview(
        server_id=server.id,
        region=server.region,
        has=[other.number for other in cached],
        state=state_of(replica, server.last_report_at, at),
        bytes_to_fetch=bytes_to_fetch(replica, cost),
        bytes_of=build.size,
        way=cost.way,
        from_build=cost.from_build,
        preparing=costs.waits_for_pack(build, cached, is_live=build.id == live_id),
        free_bytes=server.disk_free_bytes,
        contact=has_contact(server, at),
        paused=server.paused_at is not None,
        reported_at=server.last_report_at,
        live_state=state_of(live, server.last_report_at, at) if live_id else None,
        live_percent=percent_of(live.bytes_done, live.bytes_total or live.build.size) if live else 0,
    )
