"""Whether a server is in contact, and the state of a build there. Always derived from its last report."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from app.data.models.server import Server
from app.fleet.rollout_states import SHOWN_RETRIES

CONTACT_SECONDS = 30
BUSY_SECONDS, IDLE_SECONDS = 1, 10  # between two reports of a server


def has_contact(server: Server, at: datetime) -> bool:
    """Whether the server's last report is recent enough."""
    return is_recent(server.last_report_at, at)


def is_recent(last_report_at: datetime | None, at: datetime) -> bool:
    """Whether a last report is recent enough to count as contact."""
    return bool(last_report_at and at - last_report_at <= timedelta(seconds=CONTACT_SECONDS))


def is_time_to_announce_all(last_report_at: datetime | None, at: datetime) -> bool:
    """Whether a report at this time updates pages of games without changes too: they show the time of the last report.
    With every report of a busy server, that would be hundreds of rows per second."""
    if last_report_at is None or not is_recent(last_report_at, at):
        return True
    return int(at.timestamp()) // IDLE_SECONDS != int(last_report_at.timestamp()) // IDLE_SECONDS


class ReportedPhase(Protocol):
    """The part of a replica from which its state follows."""

    @property
    def phase(self) -> str: ...
    @property
    def attempt(self) -> int: ...


def state_of(replica: ReportedPhase | None, server: Server, at: datetime) -> str:
    """The state to show for one replica (None: never sent)."""
    contact = has_contact(server, at)
    if replica is None:
        return "not_sent" if contact else "no_contact"
    if not contact and replica.phase != "removed":
        return "no_contact"
    return reported_state(replica)


def reported_state(replica: ReportedPhase) -> str:
    """The state that the server reported last, with contact or without."""
    if replica.phase == "failed":
        return "retrying" if replica.attempt <= SHOWN_RETRIES else "failed"
    return {"pending": "queued", "evicting": "removing"}.get(replica.phase, replica.phase)
