"""Bytes per second over the last few seconds."""

from __future__ import annotations

import time
from collections import deque

_SAMPLE_SECONDS = 0.1  # bounds the memory of a fast transfer


class RateMeter:
    """Measures a transfer. Times are seconds of any monotonic clock, rates are bytes per second."""

    def __init__(self, window: float = 5.0) -> None:
        self._window = window
        self._samples: deque[tuple[float, int]] = deque()
        self._total = 0

    def add(self, now: float, count: int) -> None:
        """Record `count` bytes transferred at `now`."""
        if self._samples and now - self._samples[-1][0] < _SAMPLE_SECONDS:
            last, before = self._samples.pop()
            self._samples.append((last, before + count))
        else:
            self._samples.append((now, count))
        self._drop_old(now)

    def rate(self, now: float) -> int:
        self._drop_old(now)
        if not self._samples:
            return 0
        # At least one second, so that the first burst does not show as an extreme rate.
        return int(sum(count for _, count in self._samples) / max(1.0, now - self._samples[0][0]))

    def at_total(self, total: int) -> int:
        """The rate after a total of `total` bytes. The first call only marks the start, because the time of the
        bytes before it is unknown."""
        now = time.monotonic()
        moved = total - self._total if self._samples else 0
        self._total = total
        self.add(now, max(0, moved))
        return self.rate(now)

    def _drop_old(self, now: float) -> None:
        while self._samples and now - self._samples[0][0] > self._window:
            self._samples.popleft()
