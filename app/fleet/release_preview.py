"""The cost of a release: how much each server downloads, and which sessions continue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.server import PlaySession, Replica, Server
from app.fleet.active_servers import active_servers
from app.fleet.contact import has_contact
from app.fleet.rollout import state_of


@dataclass(frozen=True)
class ServerPreview:
    """`has`: numbers of the builds cached there, newest release first. `state`: of the build to release, as in the
    matrix. Bytes: still to download, of the complete archive in `bytes_of`."""

    server_id: str
    region: str
    has: list[int]
    state: str
    bytes_to_fetch: int
    bytes_of: int
    free_bytes: int | None
    contact: bool
    paused: bool
    reported_at: datetime | None


@dataclass(frozen=True)
class ReleasePreview:
    """`live`: the live build's number. `changes`: False if the build is live already."""

    build: Build
    live: int | None
    servers: Sequence[ServerPreview]
    sessions: int

    @property
    def changes(self) -> bool:
        return self.live != self.build.number

    @property
    def bytes_to_fetch(self) -> int:
        return sum(server.bytes_to_fetch for server in self.servers)


def preview(game: Game, build: Build) -> ReleasePreview:
    """Four queries for any number of servers and builds."""
    at = now()
    servers = active_servers()
    replicas = db.session.scalars(
        select(Replica).where(Replica.game_id == game.id).options(joinedload(Replica.build))
    ).all()
    by_server: dict[str, list[Replica]] = {server.id: [] for server in servers}
    for replica in replicas:
        by_server.get(replica.server_id, []).append(replica)
    sessions = db.session.scalar(
        select(func.count()).where(
            PlaySession.game_id == game.id, PlaySession.build_id != build.id, PlaySession.ended_at.is_(None)
        )
    )
    live = db.session.scalar(select(Build.number).where(Build.id == game.released_build_id))
    return ReleasePreview(
        build, live, [_of_server(server, by_server[server.id], build, at) for server in servers], sessions or 0
    )


def _of_server(server: Server, replicas: Sequence[Replica], build: Build, at: datetime) -> ServerPreview:
    cached = [replica.build for replica in replicas if replica.phase == "cached"]
    cached.sort(key=lambda other: (other.released_at or other.created_at, other.number), reverse=True)
    replica = next((replica for replica in replicas if replica.build_id == build.id), None)
    return ServerPreview(
        server_id=server.id,
        region=server.region,
        has=[other.number for other in cached],
        state=state_of(replica, server, at),
        bytes_to_fetch=bytes_to_fetch(replica, build),
        bytes_of=build.size,
        free_bytes=server.disk_free_bytes,
        contact=has_contact(server, at),
        paused=server.paused_at is not None,
        reported_at=server.last_report_at,
    )


def bytes_to_fetch(replica: Replica | None, build: Build) -> int:
    """The bytes of a build that a server must still download: none if it has cached it or is verifying it, the rest if
    it is downloading (downloads resume), else all."""
    if replica is None:
        return build.size
    if replica.phase in {"cached", "verifying"}:
        return 0
    if replica.phase in {"downloading", "pending", "failed"}:
        return max(0, build.size - replica.bytes_done)
    return build.size  # being removed, or removed already
