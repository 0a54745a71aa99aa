"""Whether a server is heard from: its state is derived from its last report whenever it is asked for."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.data.models.server import Server

CONTACT_SECONDS = 30


def has_contact(server: Server, at: datetime) -> bool:
    """Whether the server's last report is fresh enough to be believed."""
    return bool(server.last_report_at and at - server.last_report_at <= timedelta(seconds=CONTACT_SECONDS))
