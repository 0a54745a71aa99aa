"""The fleet at a glance. For a partner: the state of their released builds on each server. For an operator: the state
of the servers.

Derived from the last reports on each read, like the matrix. The database sums up the servers' builds, so that the cost
of a page does not grow with the number of builds or games.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select

from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Game
from app.data.models.server import PlaySession, Replica, Server
from app.fleet.active_servers import active_servers, has_contact
from app.fleet.costs.queued_transfers import queued_bytes
from app.fleet.server_totals import Failure, Tally, tallies, worst_failures
from app.fleet.transfers import SHOWN_MINUTES, last_hour
from app.refusals import NotFound

# Worst first: the order of both tables.
PARTNER_STATES = (
    "failed",
    "no_contact",
    "retrying",
    "verifying",
    "downloading",
    "queued",
    "not_started",
    "up_to_date",
    "nothing",
)
SERVER_STATES = ("failed", "conflict", "no_contact", "retrying", "unwell", "paused", "not_started", "healthy")


@dataclass(frozen=True)
class PartnerServer:
    """One server as a partner sees it: only their own builds, and nothing about other partners or the machine.

    `state` is one of PARTNER_STATES; `tally` counts the released builds; `last_hour` holds their bytes per minute.
    """

    id: str
    region: str
    state: str
    reported_at: datetime | None
    paused: bool
    released: int
    tally: Tally
    failure: Failure | None
    last_hour: list[int]


@dataclass(frozen=True)
class PartnerOverview:
    """Worst first."""

    servers: list[PartnerServer]
    released: int
    counts: Counter[str]


def partner_overview(partner_id: str) -> PartnerOverview:
    """Five queries for any number of servers and games."""
    at = now()
    of_partner = (Game.partner_id == partner_id, Game.deleted_at.is_(None))
    released = db.session.scalar(select(func.count()).where(*of_partner, Game.released_build_id.is_not(None))) or 0
    theirs = and_(*of_partner, Game.released_build_id == Replica.build_id)
    sums, failures = _totals(theirs), worst_failures(theirs)
    hours = last_hour(partner_id)
    servers = [
        _partner_server(server, sums.get(server.id, Tally()), failures.get(server.id), released, hours, at)
        for server in active_servers()
    ]
    servers.sort(key=lambda server: (PARTNER_STATES.index(server.state), server.id))
    return PartnerOverview(servers, released, Counter(server.state for server in servers))


def _partner_server(
    server: Server,
    tally: Tally,
    failure: Failure | None,
    released: int,
    hours: dict[str, list[int]],
    at: datetime,
) -> PartnerServer:
    contact = has_contact(server, at)
    return PartnerServer(
        id=server.id,
        region=server.region,
        state=_partner_state(server, tally, failure, released, contact),
        reported_at=server.last_report_at,
        paused=server.paused_at is not None,
        released=released,
        tally=tally,
        failure=failure if contact else None,
        last_hour=_with_current_rate(hours.get(server.id), tally.bytes_per_second if contact else 0),
    )


def _partner_state(server: Server, tally: Tally, failure: Failure | None, released: int, contact: bool) -> str:
    if not contact:
        return "no_contact" if server.last_report_at else "not_started"
    if failure:
        return "retrying" if failure.retrying else "failed"
    for state in ("verifying", "downloading"):
        if getattr(tally, state):
            return state
    if tally.cached < released:
        return "queued"
    return "up_to_date" if released else "nothing"


@dataclass(frozen=True)
class FleetServer:
    """One server as an operator sees it. `state` is one of SERVER_STATES and began at `since`, if that is known.

    `tally` counts all builds it should hold; sessions, rate and disk are as of its last report.
    """

    id: str
    region: str
    state: str
    since: datetime | None
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
    tally: Tally
    failure: Failure | None
    sessions: int
    bytes_per_second: int
    last_hour: list[int]
    keep_previous: int


@dataclass(frozen=True)
class FleetOverview:
    """The servers, worst first, and their totals."""

    servers: list[FleetServer]
    counts: Counter[str]

    @property
    def bytes_per_second(self) -> int:
        return sum(server.bytes_per_second for server in self.servers)

    @property
    def bytes_to_send(self) -> int:
        return sum(server.tally.bytes_to_fetch for server in self.servers)

    @property
    def cached(self) -> int:
        return sum(server.tally.cached for server in self.servers)

    @property
    def wanted(self) -> int:
        return sum(server.tally.builds for server in self.servers)

    @property
    def disk_used(self) -> int:
        return sum(server.disk_used for server in self.servers)

    @property
    def disk_total(self) -> int:
        return sum(server.disk_total for server in self.servers)

    @property
    def sessions(self) -> int:
        return sum(server.sessions for server in self.servers)


def fleet_overview(server_id: str | None = None) -> FleetOverview:
    """All active servers, or one. Five queries."""
    at = now()
    wanted = Replica.wanted.is_(True)
    sums, failures, hours = _totals(wanted), worst_failures(wanted), last_hour()
    begun = select(PlaySession.server_id, func.count().label("running")).where(PlaySession.ended_at.is_(None))
    sessions = {row.server_id: row.running for row in db.session.execute(begun.group_by(PlaySession.server_id))}
    servers = [
        _fleet_server(
            server,
            sums.get(server.id, Tally()),
            failures.get(server.id),
            sessions.get(server.id, 0),
            hours.get(server.id),
            at,
        )
        for server in active_servers()
        if server_id in {None, server.id}
    ]
    servers.sort(key=lambda server: (SERVER_STATES.index(server.state), server.id))
    return FleetOverview(servers, Counter(server.state for server in servers))


def find_fleet_server(server_id: str) -> FleetServer | None:
    """An active server, or None."""
    return next(iter(fleet_overview(server_id).servers), None)


def fleet_server(server_id: str) -> FleetServer:
    """An active server. Raises NotFound."""
    server = find_fleet_server(server_id)
    if server is None:
        raise NotFound(no_server(server_id))
    return server


def no_server(server_id: str) -> str:
    return f"There is no server '{server_id}', or it was retired."


def _fleet_server(
    server: Server, tally: Tally, failure: Failure | None, sessions: int, hour: list[int] | None, at: datetime
) -> FleetServer:
    contact = has_contact(server, at)
    state, since = _server_state(server, failure, contact)
    total = server.disk_total_bytes or 0
    rate = (server.bytes_per_second or 0) if contact else 0
    return FleetServer(
        id=server.id,
        region=server.region,
        state=state,
        since=since,
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
        tally=tally,
        failure=failure if contact else None,
        sessions=sessions,
        bytes_per_second=rate,
        last_hour=_with_current_rate(hour, rate),
        keep_previous=server.keep_previous,
    )


def _server_state(server: Server, failure: Failure | None, contact: bool) -> tuple[str, datetime | None]:
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
    return min(found, key=lambda each: SERVER_STATES.index(each[0]), default=("healthy", None))


def _totals(chosen: ColumnElement[bool]) -> dict[str, Tally]:
    """By server id, with the bytes of queued builds."""
    queued, found = queued_bytes(chosen), tallies(chosen)
    return {
        server_id: replace(tally, bytes_to_fetch=tally.bytes_to_fetch + queued[server_id])
        for server_id, tally in found.items()
    }


def _with_current_rate(hour: list[int] | None, bytes_per_second: int) -> list[int]:
    """The minute that has just begun would always look like a drop, so the current rate extends it."""
    minutes = list(hour or [0] * SHOWN_MINUTES)
    minutes[-1] = max(minutes[-1], bytes_per_second * 60)
    return minutes
