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

from sqlalchemy import and_, func, select

from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Game
from app.data.models.server import Replica, Server
from app.fleet.active_servers import active_servers, has_contact
from app.fleet.overviews.server_filters import ALL_SERVERS, ServerFilter, matching_servers, shown_servers
from app.fleet.overviews.server_totals import Failure, Tally, tallies, worst_failures
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

    `state` is one of PARTNER_STATES; `tally` counts the released builds; `last_hour` holds their bytes per minute, and
    is empty for servers that are not shown.
    """

    id: str
    region: str
    state: str
    reported_at: datetime | None
    paused: bool
    released: int
    tally: Tally
    failure: Failure | None
    bytes_per_second: int
    last_hour: list[int] = field(default_factory=list)

    @property
    def contact(self) -> bool:
        return self.state not in {"no_contact", "not_started"}


# What each order compares, by its name in an address. "" is the order of PARTNER_STATES, worst first.
PARTNER_ORDERS: dict[str, Callable[[PartnerServer], Any]] = {
    "state": lambda server: -PARTNER_STATES.index(server.state),
    "name": lambda server: server.id,
    "reported": lambda server: server.reported_at,
    "cached": lambda server: server.tally.cached if server.released else None,
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
    released: int
    counts: Counter[str]


def partner_overview(partner_id: str, wanted: ServerFilter = ALL_SERVERS) -> PartnerOverview:
    """All active servers, and those that are `wanted`. Five queries for any number of servers and games, and four more
    while builds are queued. Only for the servers that are shown is the last hour read, which is up to 60 rows for
    each."""
    at = now()
    of_partner = (Game.partner_id == partner_id, Game.deleted_at.is_(None))
    released = db.session.scalar(select(func.count()).where(*of_partner, Game.released_build_id.is_not(None))) or 0
    theirs = and_(*of_partner, Game.released_build_id == Replica.build_id)
    sums, failures = tallies(theirs), worst_failures(theirs)
    servers = [
        _partner_server(server, sums.get(server.id, Tally()), failures.get(server.id), released, at)
        for server in active_servers()
    ]
    servers.sort(key=lambda server: (PARTNER_STATES.index(server.state), server.id))
    matching = matching_servers(servers, wanted, PARTNER_ORDERS)
    shown = shown_servers(matching, wanted)
    hours = last_hour([server.id for server in shown], partner_id)
    shown = [
        replace(server, last_hour=with_current_rate(hours.get(server.id), server.bytes_per_second)) for server in shown
    ]
    return PartnerOverview(servers, shown, len(matching), released, Counter(server.state for server in servers))


def _partner_server(
    server: Server, tally: Tally, failure: Failure | None, released: int, at: datetime
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
        bytes_per_second=tally.bytes_per_second if contact else 0,
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
