"""The released build on each server, for the API's sync. Derived from the last reports on each read, as pages are
(app/fleet/rollout.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, bindparam, select

from app.data.models.base import now
from app.data.models.server import Replica, Server, Source
from app.data.prepared_reads import PreparedRead
from app.fleet.active_servers import IS_ACTIVE
from app.fleet.build_states import BuildState, build_state
from app.fleet.contact import is_recent


@dataclass(frozen=True)
class CacheState:
    """A build's state on one server. `state`: as pages show it; `phase`: as of the server's last report, at
    `reported_at`. Bytes are those of the transfer from `source`. `source_build`: the number of the build that an update
    starts from. `fallback`: why the archive was used although there is a pack."""

    server_id: str
    state: BuildState
    cached_at: datetime | None
    phase: str
    bytes_done: int
    bytes_total: int
    bytes_per_second: int
    reported_at: datetime | None
    attempt: int
    reason: str | None
    source: Source | None = None
    source_build: int | None = None
    fallback: str | None = None

    @property
    def cached(self) -> bool:
        return self.state == "cached"


def _state(
    server_id: str,
    reported_at: datetime | None,
    phase: str | None,
    cached_at: datetime | None,
    bytes_done: int,
    bytes_total: int,
    bytes_per_second: int,
    attempt: int | None,
    reason: str | None,
    source: Source | None,
    source_build: int | None,
    fallback: str | None,
) -> CacheState:
    at = now()
    state = build_state(phase, attempt or 0, reported_at, at)
    if phase is None:  # the build was never sent there
        return CacheState(server_id, state, None, "pending", 0, 0, 0, reported_at, 0, None)
    return CacheState(
        server_id=server_id,
        state=state,
        cached_at=cached_at,
        phase=phase,
        bytes_done=bytes_done,
        bytes_total=bytes_total,
        bytes_per_second=bytes_per_second if is_recent(reported_at, at) else 0,
        reported_at=reported_at,
        attempt=attempt or 0,
        reason=reason,
        source=source,
        source_build=source_build,
        fallback=fallback,
    )


_STATES = PreparedRead(
    select(
        Server.id,
        Server.last_report_at,
        Replica.phase,
        Replica.cached_at,
        Replica.bytes_done,
        Replica.bytes_total,
        Replica.bytes_per_second,
        Replica.attempt,
        Replica.reason,
        Replica.source,
        Replica.source_build,
        Replica.fallback,
    )
    .outerjoin(Replica, and_(Replica.server_id == Server.id, Replica.build_id == bindparam("build")))
    .where(IS_ACTIVE)
    .order_by(Server.id),
    _state,
)


def cache_states(released_build_id: str | None) -> Sequence[CacheState]:
    """One entry per server, in id order, in one query. Without a released build, every server is pending."""
    return _STATES.all(build=released_build_id)
