"""The servers as one partner sees them: the state of the partner's released builds on each.

Derived from the last reports on each read, like the matrix. The database sums up the servers' builds, so that the cost
of a page does not grow with the number of builds or games.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.data.extensions import db
from app.data.models.base import now
from app.data.models.server import Server
from app.fleet.active_servers import IS_ACTIVE, active_servers, has_contact
from app.fleet.overviews.server_filters import ALL_SERVERS, ServerFilter, matching_servers, shown_servers
from app.fleet.overviews.server_totals import Failure, Tally, cached_live_builds, live_totals
from app.fleet.transfers import last_hour, with_current_rate

# Worst first: the order of the table.
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


@dataclass(frozen=True)
class PartnerServer:
    """One server as a partner sees it: only their own builds, and nothing about other partners or the machine.

    `state` is one of PARTNER_STATES; `tally` counts the partner's live builds; `free_bytes`: of its disk, None without
    contact. `last_hour` holds the bytes per minute of the partner's builds; it is empty for servers that are not shown.
    """

    id: str
    region: str
    state: str
    reported_at: datetime | None
    paused_at: datetime | None
    free_bytes: int | None
    tally: Tally
    failure: Failure | None
    bytes_per_second: int
    last_hour: list[int] = field(default_factory=list)

    @property
    def paused(self) -> bool:
        return self.paused_at is not None

    @property
    def contact(self) -> bool:
        return self.state not in {"no_contact", "not_started"}


# What each order compares, by its name in an address. "" is the order of PARTNER_STATES, worst first.
PARTNER_ORDERS: dict[str, Callable[[PartnerServer], Any]] = {
    "state": lambda server: -PARTNER_STATES.index(server.state),
    "name": lambda server: server.id,
    "reported": lambda server: server.reported_at,
    "cached": cached_live_builds,
    "fetch": lambda server: server.tally.bytes_to_fetch if server.contact else None,
    "rate": lambda server: server.bytes_per_second if server.contact else None,
}


@dataclass(frozen=True)
class PartnerOverview:
    """All servers, worst first. `shown`: the page of those that match the filter, with their last hour; `matching`: how
    many match it."""

    servers: Sequence[PartnerServer]
    shown: Sequence[PartnerServer]
    matching: int
    counts: Counter[str]


def partner_overview(partner_id: str, wanted: ServerFilter = ALL_SERVERS) -> PartnerOverview:
    """All active servers, and those that are `wanted`. Five queries for any number of servers and games, and four more
    while builds are queued. Only for the servers that are shown is the last hour read, which is up to 60 rows for
    each."""
    servers = _partner_servers(active_servers(), partner_id)
    servers.sort(key=lambda server: (PARTNER_STATES.index(server.state), server.id))
    matching = matching_servers(servers, wanted, PARTNER_ORDERS)
    shown = shown_servers(matching, wanted)
    shown = _with_last_hour(shown, partner_id)
    return PartnerOverview(servers, shown, len(matching), Counter(server.state for server in servers))


def find_partner_server(partner_id: str, server_id: str) -> PartnerServer | None:
    """An active server as a partner sees it, or None."""
    server = db.session.scalar(select(Server).where(IS_ACTIVE, Server.id == server_id))
    return _with_last_hour(_partner_servers([server], partner_id), partner_id)[0] if server else None


def _partner_servers(servers: Sequence[Server], partner_id: str) -> list[PartnerServer]:
    at = now()
    totals, failures = live_totals((server.id for server in servers), partner_id)
    return [_partner_server(server, totals[server.id], failures.get(server.id), at) for server in servers]


def _with_last_hour(servers: Sequence[PartnerServer], partner_id: str) -> list[PartnerServer]:
    hours = last_hour([server.id for server in servers], partner_id)
    return [
        replace(server, last_hour=with_current_rate(hours.get(server.id), server.bytes_per_second))
        for server in servers
    ]


def _partner_server(server: Server, tally: Tally, failure: Failure | None, at: datetime) -> PartnerServer:
    contact = has_contact(server, at)
    return PartnerServer(
        id=server.id,
        region=server.region,
        state=_partner_state(server, tally, failure, contact),
        reported_at=server.last_report_at,
        paused_at=server.paused_at,
        free_bytes=server.disk_free_bytes if contact else None,
        tally=tally,
        failure=failure if contact else None,
        bytes_per_second=tally.bytes_per_second if contact else 0,
    )


def _partner_state(server: Server, tally: Tally, failure: Failure | None, contact: bool) -> str:
    if not contact:
        return "no_contact" if server.last_report_at else "not_started"
    if failure:
        return "retrying" if failure.retrying else "failed"
    for state in ("verifying", "downloading"):
        if getattr(tally, state):
            return state
    if tally.cached < tally.builds:
        return "queued"
    return "up_to_date" if tally.builds else "nothing"
