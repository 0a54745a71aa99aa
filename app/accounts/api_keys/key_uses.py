"""When each API key was last used, to the minute. The uses of all keys are written together: a write for each key and
minute would make many reads writes, and each would wait for its turn."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta

from flask import Flask, current_app
from sqlalchemy import bindparam, or_, update

from app.data.database import writing
from app.data.models.base import now
from app.data.models.partner import ApiKey

RECORD_USE_EVERY = timedelta(minutes=1)
WRITE_SECONDS = 1.0  # at least this long between two writes
_EXTENSION = "slipway_key_uses"

# Another process may have written a later use of the same key.
_LAST_USE = (
    update(ApiKey)
    .where(ApiKey.id == bindparam("key"))
    .where(or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < bindparam("at")))
    .values(last_used_at=bindparam("at"))
)


class KeyUses:
    """The uses that this process has recorded and not written yet. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recorded: dict[str, datetime] = {}  # by key: the last use that was written or waits to be
        self._waiting: dict[str, datetime] = {}
        self._write_at = float("-inf")

    def record(self, key_id: str) -> None:
        """Record a use of a key. Writes what has collected, at most once in WRITE_SECONDS."""
        at = now()
        with self._lock:
            last = self._recorded.get(key_id)
            if last is None or at - last > RECORD_USE_EVERY:
                self._recorded[key_id] = self._waiting[key_id] = at
            if not self._waiting or time.monotonic() < self._write_at:
                return
        self.write()

    def write(self) -> None:
        """Write all recorded uses in one transaction."""
        with self._lock:
            uses, self._waiting = self._waiting, {}
            self._write_at = time.monotonic() + WRITE_SECONDS
            earliest = now() - RECORD_USE_EVERY
            self._recorded = {key: at for key, at in self._recorded.items() if at > earliest}
        if uses:
            rows = [{"key": key, "at": at} for key, at in sorted(uses.items())]  # one order, so nothing deadlocks
            with writing() as session:
                session.connection().execute(_LAST_USE, rows)


def init_app(app: Flask) -> None:
    """Give the app an empty record."""
    app.extensions[_EXTENSION] = KeyUses()


def key_uses() -> KeyUses:
    """The running app's record."""
    found: KeyUses = current_app.extensions[_EXTENSION]
    return found
