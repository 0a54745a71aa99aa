"""What live parts show and no topic announces. It is read at most once per interval, for all pages of a process. A part
that follows reports does not read it again with each report."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from app.data.models.base import now

T = TypeVar("T")


@dataclass(frozen=True)
class Reading(Generic[T]):
    """A value, and when it is read again: a page that shows it renders again then."""

    value: T
    changes_at: datetime


class RefreshedValue(Generic[T]):
    """A value that `read` returns, which is called in an app context. Thread-safe."""

    def __init__(self, read: Callable[[], T], interval: timedelta) -> None:
        self.interval = interval
        self._read = read
        self._lock = threading.Lock()
        self._last: Reading[T] | None = None

    def current(self) -> Reading[T]:
        """The value, at most `interval` old. The caller must hold no database connection: it may wait for the thread
        that reads, which needs one."""
        with self._lock:
            at = now()
            if self._last is None or at >= self._last.changes_at:
                self._last = Reading(self._read(), at + self.interval)
            return self._last
