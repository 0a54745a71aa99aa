"""Whether storage answers, and since when it does not: as this process saw it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime

from flask import current_app

from app.models.base import now
from app.refusals import Unavailable
from app.storage.bucket import bucket

LOOK_EVERY = 5.0  # seconds; however many pages ask


@dataclass(frozen=True)
class Reach:
    """`since` is when this began, or None for storage that always answered."""

    ok: bool
    since: datetime | None
    looked_at: datetime


class Reachability:
    """One a process; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: Reach | None = None
        self._due = float("-inf")

    def look(self) -> Reach:
        """Ask the bucket, at most every few seconds. May take as long as the bucket's timeouts: hold no database
        connection meanwhile."""
        with self._lock:
            if self._found is None or time.monotonic() >= self._due:
                self._found = self._look(self._found)
                self._due = time.monotonic() + LOOK_EVERY
            return self._found

    def _look(self, before: Reach | None) -> Reach:
        try:
            bucket().ping()
            ok = True
        except Unavailable:
            ok = False
        at = now()
        if before is not None and before.ok == ok:
            return Reach(ok, before.since, at)
        return Reach(ok, None if before is None and ok else at, at)


def reachability() -> Reachability:
    """The running app's."""
    found: Reachability = current_app.extensions.setdefault("slipway_reachability", Reachability())
    return found
