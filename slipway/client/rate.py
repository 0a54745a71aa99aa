"""Bytes per second over the last few seconds."""

from __future__ import annotations

import time
from collections import deque

_SAMPLE_SECONDS = 0.1  # bounds the memory of a fast transfer


class RateMeter:
    """Counts bytes as they move. Times are seconds on any steady clock."""

    def __init__(self, window: float = 5.0) -> None:
        self._window = window
        self._samples: deque[tuple[float, int]] = deque()
        self._total = 0

    def add(self, now: float, count: int) -> None:
        """`count` bytes moved at `now`."""
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
        # At least a second, so that the first burst does not read as a fantastic rate.
        return int(sum(count for _, count in self._samples) / max(1.0, now - self._samples[0][0]))

    def at_total(self, total: int) -> int:
        """The rate now that `total` bytes have moved in all. The first total only marks the start: what moved before it
        took an unknown time."""
        now = time.monotonic()
        moved = total - self._total if self._samples else 0
        self._total = total
        self.add(now, max(0, moved))
        return self.rate(now)

    def _drop_old(self, now: float) -> None:
        while self._samples and now - self._samples[0][0] > self._window:
            self._samples.popleft()
