"""Failures of the database that pass by themselves: it is away, it has no room, or all connections are in use.

Callers get 503 with `Retry-After` for them, and the log one line per change. Any other error is a mistake of the
program and stays a 500 with a traceback.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.process.state_log import StateLog
from app.refusals import Unavailable

log = logging.getLogger(__name__)

RETRY_SECONDS = 5
_FULL = "has no room"
_AWAY = "does not answer"
_BUSY = "is busy"
_BROKEN = "cannot be used"
# By the primary result code (sqlite.org/rescode.html): BUSY, READONLY, IOERR, FULL, CANTOPEN.
_SQLITE = {5: _BUSY, 8: _BROKEN, 10: _BROKEN, 13: _FULL, 14: _BROKEN}
# By the beginning of SQLSTATE (Appendix A of the Postgres manual); the longest that fits decides.
_POSTGRES = {
    "08": _AWAY,  # connection exception
    "25006": _AWAY,  # a standby, during a failover
    "53": _BUSY,  # insufficient resources: connections, memory
    "53100": _FULL,
    "57P": _AWAY,  # shut down, crashed, or starting
    "58": _AWAY,  # errors of the system below Postgres
}

database_state = StateLog(log, "the database %s: %s", "the database works again")
# Reading still works on a full disk, so only a transaction that wrote shows that there is room again.
disk_state = StateLog(log, "there is no room left on a disk: %s", "there is room on the disk again")


def record_commit() -> None:
    """Record that a transaction was written: no outage is left."""
    database_state.worked()
    disk_state.worked()


def outage_in(error: BaseException) -> Unavailable | None:
    """The refusal for an error that passes by itself, which is recorded. None for any other error."""
    problem = _problem(error)
    if problem is None:
        return None
    cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0][:200]
    if problem == _FULL:
        disk_state.failed(cause)
        message = "The server has no room left on its disk"
    else:
        database_state.failed(problem, cause)
        message = f"The database {problem}"
    # Not "nothing was changed": the connection may break after the commit and before its answer.
    return Unavailable(f"{message}. Try again in {RETRY_SECONDS} seconds.", RETRY_SECONDS)


def _problem(error: BaseException) -> str | None:
    if isinstance(error, PoolTimeout):  # no connection of the pool became free
        return _BUSY
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _FULL
    if not isinstance(error, DBAPIError):
        return None
    cause: Any = error.orig
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)  # missing on errors of the driver itself
        return None if code is None else _SQLITE.get(code & 0xFF)
    state = getattr(cause, "sqlstate", None)
    if state is None:  # psycopg has none for a connection that broke, or that could not be made
        return _AWAY if error.connection_invalidated or type(cause).__name__ == "OperationalError" else None
    return next((_POSTGRES[state[:length]] for length in (5, 3, 2) if state[:length] in _POSTGRES), None)
