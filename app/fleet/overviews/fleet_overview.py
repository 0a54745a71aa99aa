"""The servers as operators see them: the state of each, and the totals.

Derived from the last reports on each read, like the matrix. The database sums up the servers' builds, so that the cost
of a page does not grow with the number of builds or games.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from app.data.extensions import db
from app.data.models.base import now
from app.data.models.server import PlaySession, Server
from app.fleet.active_servers import IS_ACTIVE, active_servers, has_contact
from app.fleet.overviews.server_filters import ALL_SERVERS, ServerFilter, matching_servers, shown_servers
from app.fleet.overviews.server_totals import Failure, Tally, cached_live_builds, live_totals
from app.fleet.transfers import last_hour, with_current_rate
from app.refusals import NotFound

NEAR_FLOOR_PERCENT = 10  # of a disk
# Worst first: the order of the table.
SERVER_STATES = ("failed", "conflict", "no_contact", "retrying", "unwell", "paused", "not_started", "healthy")


@dataclass(frozen=True)
class FleetServer:
    """One server as an operator sees it. `state` is one of SERVER_STATES and began at `since`, if that is known.
    `states`: all that hold, as (state, since), worst first; the first is `state`.

    `tally` counts the live builds of all partners; sessions, rate and disk are as of its last report. `last_hour` holds
    its bytes per minute, and is empty for servers that are not shown.
    """

    id: str
    region: str
    states: Sequence[tuple[str, datetime | None]]
    contact: bool
    reported_at: datetime | None
    joined_at: datetime
    paused_at: datetime | None
    conflict_at: datetime | None
    agent_version: str | None
    token_hint: str
    cpu_percent: float | None
    memory_percent: float | None
    disk_used: int
    disk_total: int
    disk_floor: int
    tally: Tally
    failure: Failure | None
    sessions: int
    bytes_per_second: int
    keep_previous: int

    @property
    def state(self) -> str:
        return self.states[0][0]

    @property
    def since(self) -> datetime | None:
        return self.states[0][1]

    @property
    def disk_percent(self) -> int | None:
        """Rounded; None if the server has not reported its disk."""
        return round(self.disk_used * 100 / self.disk_total) if self.disk_total else None

    @property
    def room(self) -> int:
        """Bytes that builds can still take: free, above the floor that downloads leave free."""
        return max(0, self.disk_total - self.disk_used - self.disk_floor)

    @property
    def is_near_floor(self) -> bool:
        """Whether little of its disk is left for builds. False for a server that has not reported its disk."""
        return bool(self.disk_total) and self.room * 100 <= self.disk_total * NEAR_FLOOR_PERCENT

    last_hour: list[int] = field(default_factory=list)


# What each order compares, by its name in an address. "" is the order of SERVER_STATES, worst first.
FLEET_ORDERS: dict[str, Callable[[FleetServer], Any]] = {
    "state": lambda server: -SERVER_STATES.index(server.state),
    "name": lambda server: server.id,
    "reported": lambda server: server.reported_at,
    "disk": lambda server: server.disk_percent,
    "cached": cached_live_builds,
    "sessions": lambda server: server.sessions if server.contact else None,
    "rate": lambda server: server.bytes_per_second if server.contact else None,
}


@dataclass(frozen=True)
class FleetOverview:
    """All servers, worst first, and their totals. `shown`: the page of those that match the filter, with their last
    hour; `matching`: how many match it."""

    servers: Sequence[FleetServer]
    shown: Sequence[FleetServer]
    matching: int
    counts: Counter[str]

    @property
    def bytes_per_second(self) -> int:
        return sum(server.bytes_per_second for server in self.servers)

    @property
    def bytes_to_send(self) -> int:
        return sum(server.tally.bytes_to_fetch for server in self.servers)

    @property
    def cached(self) -> int:
        """Copies of live builds that are cached now."""
        return sum(cached_live_builds(server) or 0 for server in self.servers)

    @property
    def wanted(self) -> int:
        """Copies of live builds that servers should have."""
        return sum(server.tally.builds for server in self.servers)

    @property
    def disk_used(self) -> int:
        return sum(server.disk_used for server in self.servers)

    @property
    def disk_total(self) -> int:
        return sum(server.disk_total for server in self.servers)

    @property
    def room(self) -> int:
        return sum(server.room for server in self.servers)

    @property
    def sessions(self) -> int:
        return sum(server.sessions for server in self.servers)


def fleet_overview(wanted: ServerFilter = ALL_SERVERS) -> FleetOverview:
    """All active servers, and those that are `wanted`. Five queries, and four more while builds are queued. Only for
    the servers that are shown is the last hour read, which is up to 60 rows for each."""
    servers = _fleet_servers(active_servers())
    servers.sort(key=lambda server: (SERVER_STATES.index(server.state), server.id))
    matching = matching_servers(servers, wanted, FLEET_ORDERS)
    shown = _with_last_hour(shown_servers(matching, wanted))
    return FleetOverview(servers, shown, len(matching), Counter(server.state for server in servers))


def find_fleet_server(server_id: str) -> FleetServer | None:
    """An active server, or None."""
    server = db.session.scalar(select(Server).where(IS_ACTIVE, Server.id == server_id))
    return _with_last_hour(_fleet_servers([server], server_id))[0] if server else None


def fleet_server(server_id: str) -> FleetServer:
    """An active server. Raises NotFound."""
    server = find_fleet_server(server_id)
    if server is None:
        raise NotFound(no_server(server_id))
    return server


def no_server(server_id: str) -> str:
    return f"There is no server '{server_id}', or it was retired."


def _fleet_servers(servers: Sequence[Server], server_id: str | None = None) -> list[FleetServer]:
    """`server_id`: read nothing of other servers."""
    at = now()
    running = select(PlaySession.server_id, func.count().label("running")).where(PlaySession.ended_at.is_(None))
    if server_id is not None:
        running = running.where(PlaySession.server_id == server_id)
    totals, failures = live_totals(server.id for server in servers)
    sessions = {row.server_id: row.running for row in db.session.execute(running.group_by(PlaySession.server_id))}
    return [
        _fleet_server(server, totals[server.id], failures.get(server.id), sessions.get(server.id, 0), at)
        for server in servers
    ]


def _with_last_hour(servers: Sequence[FleetServer]) -> list[FleetServer]:
    hours = last_hour([server.id for server in servers])
    return [
        replace(server, last_hour=with_current_rate(hours.get(server.id), server.bytes_per_second))
        for server in servers
    ]


def _fleet_server(server: Server, tally: Tally, failure: Failure | None, sessions: int, at: datetime) -> FleetServer:
    contact = has_contact(server, at)
    total = server.disk_total_bytes or 0
    rate = (server.bytes_per_second or 0) if contact else 0
    return FleetServer(
        id=server.id,
        region=server.region,
        states=_server_states(server, failure, contact),
        contact=contact,
        reported_at=server.last_report_at,
        joined_at=server.created_at,
        paused_at=server.paused_at,
        conflict_at=server.conflict_at,
        agent_version=server.agent_version,
        token_hint=server.token_hint,
        cpu_percent=server.cpu_percent,
        memory_percent=server.memory_percent,
        disk_used=max(0, total - (server.disk_free_bytes or 0)),
        disk_total=total,
        disk_floor=server.disk_floor_bytes or 0,
        tally=tally,
        failure=failure if contact else None,
        sessions=sessions,
        bytes_per_second=rate,
        keep_previous=server.keep_previous,
    )


def _server_states(server: Server, failure: Failure | None, contact: bool) -> list[tuple[str, datetime | None]]:
    found: list[tuple[str, datetime | None]] = []
    if server.last_report_at is None:
        found.append(("not_started", server.created_at))
    elif not contact:
        found.append(("no_contact", server.last_report_at))
    elif failure:
        found.append(("retrying" if failure.retrying else "failed", failure.since))
    if server.conflict_at:
        found.append(("conflict", None))  # the time known is when the other agent was last refused
    if server.paused_at:
        found.append(("paused", server.paused_at))
    if contact and server.health_status == "error":
        found.append(("unwell", None))
    return sorted(found, key=lambda each: SERVER_STATES.index(each[0])) or [("healthy", None)]
