"""Whether a server is in contact. Always derived from its last report."""

from __future__ import annotations

from datetime import datetime, timedelta

CONTACT_SECONDS = 30
BUSY_SECONDS, IDLE_SECONDS = 1, 10  # between two reports of a server


def is_recent(last_report_at: datetime | None, at: datetime) -> bool:
    """Whether a last report is recent enough to count as contact."""
    return bool(last_report_at and at - last_report_at <= timedelta(seconds=CONTACT_SECONDS))


def contact_begins(at: datetime) -> datetime:
    """Servers that have reported since then have contact."""
    return at - timedelta(seconds=CONTACT_SECONDS)


def is_time_to_announce_all(last_report_at: datetime | None, at: datetime) -> bool:
    """Whether a report at this time updates pages of games without changes too: they show the time of the last report.
    With every report of a busy server, that would be hundreds of rows per second."""
    if last_report_at is None or not is_recent(last_report_at, at):
        return True
    return int(at.timestamp()) // IDLE_SECONDS != int(last_report_at.timestamp()) // IDLE_SECONDS
