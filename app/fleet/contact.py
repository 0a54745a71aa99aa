"""Whether a server is in contact. Always derived from its last report."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.data.models.server import Server

CONTACT_SECONDS = 30


def has_contact(server: Server, at: datetime) -> bool:
    """Whether the server's last report is recent enough."""
    return is_recent(server.last_report_at, at)


def is_recent(last_report_at: datetime | None, at: datetime) -> bool:
    """Whether a last report is recent enough to count as contact."""
    return bool(last_report_at and at - last_report_at <= timedelta(seconds=CONTACT_SECONDS))
