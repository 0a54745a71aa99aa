"""The released build on each server, for the API's sync. Derived from the last reports on each read, as pages are
(app/fleet/rollout.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, bindparam, select

from app.data.database import reading
from app.data.models.base import now
from app.data.models.server import Replica, Server
from app.fleet.active_servers import IS_ACTIVE
from app.fleet.contact import is_recent


@dataclass(frozen=True)
class CacheState:
    """A build's state on one server. `reported_at`: the server's last report."""

    server_id: str
    cached: bool
    cached_at: datetime | None
    phase: str
    bytes_done: int
    bytes_total: int
    bytes_per_second: int
    reported_at: datetime | None
    attempt: int
    reason: str | None


_STATES = (
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
    )
    .outerjoin(Replica, and_(Replica.server_id == Server.id, Replica.build_id == bindparam("build")))
    .where(IS_ACTIVE)
    .order_by(Server.id)
)


def cache_states(released_build_id: str | None) -> Sequence[CacheState]:
    """One entry per server, in id order, in one query. Without a released build, every server is pending."""
    at = now()
    with reading() as connection:
        rows = connection.execute(_STATES, {"build": released_build_id}).all()
    return [
        CacheState(
            server_id=row.id,
            cached=row.phase == "cached",
            cached_at=row.cached_at,
            phase=row.phase,
            bytes_done=row.bytes_done,
            bytes_total=row.bytes_total,
            bytes_per_second=row.bytes_per_second if is_recent(row.last_report_at, at) else 0,
            reported_at=row.last_report_at,
            attempt=row.attempt,
            reason=row.reason,
        )
        if row.phase is not None
        else CacheState(row.id, False, None, "pending", 0, 0, 0, row.last_report_at, 0, None)
        for row in rows
    ]
