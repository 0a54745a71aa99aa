"""How fast it goes."""

from __future__ import annotations

import time
from collections import deque


class Rate:
    """Bytes a second over the last seconds."""

    def __init__(self, window: float = 5.0) -> None:
        self._window = window
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, done: int) -> float:
        now = time.monotonic()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > self._window:
            self._seen.popleft()
        begin, before = self._seen[0]
        return max(0.0, (done - before) / (now - begin)) if now > begin else 0.0
