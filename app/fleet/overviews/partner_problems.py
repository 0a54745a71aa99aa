"""What a partner should know about the servers at once: those without contact, and those where a live build fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.data.models.base import now
from app.data.models.server import Server
from app.fleet.active_servers import has_contact
from app.fleet.overviews.partner_overview import PartnerServer
from app.fleet.overviews.server_totals import Failure, live_failures


@dataclass(frozen=True)
class PartnerProblems:
    """`silent`: (id, last report) of the servers without contact, `in_contact`: how many have contact. `failing`: (id,
    worst failure) of servers in contact where a live build of the partner failed, without those that retry still."""

    silent: Sequence[tuple[str, datetime]]
    in_contact: int
    failing: Sequence[tuple[str, Failure]]


# Of one server: its id, its last report, whether it has contact, and its worst failure.
_Row = tuple[str, datetime | None, bool, Failure | None]


def problems_on(servers: Sequence[PartnerServer]) -> PartnerProblems:
    """The problems of servers that were read already."""
    return _problems([(each.id, each.reported_at, each.contact, each.failure) for each in servers])


def partner_problems(partner_id: str, servers: Sequence[Server]) -> PartnerProblems:
    """The same for the active servers. One query."""
    at, failures = now(), live_failures(partner_id)
    return _problems([(each.id, each.last_report_at, has_contact(each, at), failures.get(each.id)) for each in servers])


def _problems(rows: Sequence[_Row]) -> PartnerProblems:
    return PartnerProblems(
        silent=[(each, reported_at) for each, reported_at, contact, _ in rows if reported_at and not contact],
        in_contact=sum(contact for _, _, contact, _ in rows),
        failing=[(each, failure) for each, _, contact, failure in rows if contact and failure and not failure.retrying],
    )
