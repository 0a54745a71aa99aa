"""Bytes per second over the last few seconds."""

from __future__ import annotations

from collections import deque


class RateMeter:
    def __init__(self, window: float = 5.0) -> None:
        self._window = window
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now: float, count: int) -> None:
        """`count` bytes moved at `now` (seconds on any steady clock)."""
        # One sample a tenth of a second is enough, and bounds the memory of a fast download.
        if self._samples and now - self._samples[-1][0] < 0.1:
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

    def _drop_old(self, now: float) -> None:
        while self._samples and now - self._samples[0][0] > self._window:
            self._samples.popleft()
