"""Whether a server is in contact. Always derived from its last report."""

from __future__ import annotations

from datetime import datetime, timedelta

CONTACT_SECONDS = 30
BUSY_SECONDS, IDLE_SECONDS = 1, 10  # between two reports of a server
MAX_REPORT_SECONDS = 20  # the same under full load; well below CONTACT_SECONDS, so that no server seems to be away
_HALF_LOAD = 0.5


def is_recent(last_report_at: datetime | None, at: datetime) -> bool:
    """Whether a last report is recent enough to count as contact."""
    return bool(last_report_at and at - last_report_at <= timedelta(seconds=CONTACT_SECONDS))


def report_after(seconds: int, load: float) -> int:
    """Seconds until a server's next report: `seconds` up to half load, then more, up to MAX_REPORT_SECONDS. `load`: the
    used part of the process's budget for calls."""
    excess = min(1.0, max(0.0, load - _HALF_LOAD) / (1 - _HALF_LOAD))
    return round(seconds + (MAX_REPORT_SECONDS - seconds) * excess)


def contact_begins(at: datetime) -> datetime:
    """Servers that have reported since then have contact."""
    return at - timedelta(seconds=CONTACT_SECONDS)


def is_time_to_announce_all(last_report_at: datetime | None, at: datetime) -> bool:
    """Whether a report at this time updates pages of games without changes too: they show the time of the last report.
    With every report of a busy server, that would be hundreds of rows per second."""
    if last_report_at is None or not is_recent(last_report_at, at):
        return True
    return int(at.timestamp()) // IDLE_SECONDS != int(last_report_at.timestamp()) // IDLE_SECONDS
