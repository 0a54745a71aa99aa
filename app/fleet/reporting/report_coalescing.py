"""Reports that follow each other quickly and change nothing but numbers: they are acknowledged and not written."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from sqlalchemy import CursorResult, update

from app.config.settings import settings
from app.data.database import writing
from app.data.models.server import Server

# Two reports closer together than this, with no change but in numbers: the second is acknowledged and not written.
COALESCE = timedelta(milliseconds=400)

# By server: boot, sequence and shape of the last report that this process wrote. A shape is the report without its
# numbers. Only an optimisation: a process without an entry writes.
_written: dict[str, tuple[str, int, object]] = {}
# By server: boot and sequence of the newest report that was acknowledged and not written.
_newest_skipped: dict[str, tuple[str, int]] = {}


class LastReport(Protocol):
    """The part of a server's row that says which report was written last."""

    @property
    def id(self) -> str: ...
    @property
    def boot_id(self) -> str | None: ...
    @property
    def sequence(self) -> int: ...
    @property
    def last_report_at(self) -> datetime | None: ...


def remember_written(server_id: str, boot_id: str, sequence: int, shape: object) -> None:
    """Remember a report that was written."""
    _written[server_id] = (boot_id, sequence, shape)


def can_skip(server: LastReport, boot_id: str, sequence: int, shape: object, at: datetime) -> bool:
    """Whether a report changes so little, so soon after the last one, that it need not be written."""
    if not server.last_report_at or at - server.last_report_at > COALESCE:
        return False
    return repeats_the_last(server, boot_id, sequence, shape)


def repeats_the_last(server: LastReport, boot_id: str, sequence: int, shape: object) -> bool:
    """Whether nothing but numbers differs from the last report that this process wrote."""
    if server.boot_id != boot_id or sequence <= server.sequence:
        return False
    # Boot and sequence show whether the row holds the report remembered here: another process may have written a later
    # one with another phase, which skipping this report would hide.
    return _written.get(server.id) == (server.boot_id, server.sequence, shape)


def record_skipped(server_id: str, boot_id: str, sequence: int, shape: object) -> bool:
    """Record the number of a report that is not written, so that an older one that arrives later is not accepted. False
    if a newer one has arrived meanwhile."""
    if is_older_than_skipped(server_id, boot_id, sequence):
        return False
    _newest_skipped[server_id] = (boot_id, sequence)
    if not settings().redis_url:
        return True
    # There may be other processes, and the next report may arrive at one of them.
    newer = update(Server).where(Server.id == server_id, Server.boot_id == boot_id, Server.sequence < sequence)
    with writing() as session:
        accepted = bool(cast(CursorResult[Any], session.execute(newer.values(sequence=sequence))).rowcount)
    if accepted:
        remember_written(server_id, boot_id, sequence, shape)
    return accepted


def is_older_than_skipped(server_id: str, boot_id: str, sequence: int) -> bool:
    """Whether a newer report of the same boot was acknowledged and not written."""
    newest_boot, newest = _newest_skipped.get(server_id, ("", -1))
    return newest_boot == boot_id and sequence <= newest
