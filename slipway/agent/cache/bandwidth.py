"""The limit on bytes per second, for all downloads of this agent together."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock

# Reading less at a time would only cost processor time.
_MIN_PIECE_BYTES = 16 << 10
_PIECES_PER_SECOND = 8


class Bandwidth:
    """Thread-safe. `bytes_per_second` None is no limit."""

    def __init__(self, bytes_per_second: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = bytes_per_second
        self._clock = clock
        self._lock = Lock()
        self._paid_until = 0.0  # on the clock: when the bytes received so far are within the limit

    def piece_bytes(self, maximum: int) -> int:
        """How many bytes to read at a time, so that the rate is even."""
        if self._rate is None:
            return maximum
        return min(maximum, max(_MIN_PIECE_BYTES, self._rate // _PIECES_PER_SECOND))

    def wait(self, received: int, cancelled: Event) -> None:
        """Wait until `received` more bytes are within the limit, or until `cancelled` is set."""
        if self._rate is None:
            return
        with self._lock:
            now = self._clock()
            self._paid_until = max(now, self._paid_until) + received / self._rate
            seconds = self._paid_until - now
        cancelled.wait(seconds)
