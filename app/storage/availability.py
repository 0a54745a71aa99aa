"""Whether storage answers, by the last calls of this process, so that no page has to wait for a check.

Every call to the bucket records its outcome here. During an outage, pages start checks in the background.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from app.data.models.base import now

RETRY_SECONDS = 8.0  # between two checks during an outage
MAX_SILENCE_SECONDS = 30.0  # without a call for this long, a check starts too


@dataclass(frozen=True)
class Outage:
    """`since`: the first call without an answer; `asked_at`: the last one."""

    since: datetime
    asked_at: datetime


class StorageStatus:
    """One per process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Drop everything: another bucket is used from now on."""
        with self._lock:
            self._since: datetime | None = None
            self.recovered_at = float("-inf")  # when the last outage ended, by the monotonic clock
            self._asked_at = now()
            self._due = time.monotonic() + MAX_SILENCE_SECONDS

    @property
    def is_out(self) -> bool:
        """Whether the last call got no answer."""
        return self._since is not None

    def record(self, answered: bool) -> None:
        """Record whether a call got an answer, of whatever kind."""
        with self._lock:
            self._asked_at = now()
            if answered and self._since:
                self.recovered_at = time.monotonic()
            self._since = None if answered else self._since or self._asked_at
            self._due = time.monotonic() + (MAX_SILENCE_SECONDS if answered else RETRY_SECONDS)

    def outage(self, ask: Callable[[], None]) -> Outage | None:
        """The known outage, without waiting. If a check is due, calls `ask` in a thread of its own; `ask` records its
        outcome."""
        with self._lock:
            found = Outage(self._since, self._asked_at) if self._since else None
            due = time.monotonic() >= self._due
            if due:
                self._due = time.monotonic() + RETRY_SECONDS
        if due:
            threading.Thread(target=ask, name="storage-check", daemon=True).start()
        return found


storage_status = StorageStatus()
