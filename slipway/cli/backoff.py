"""When to try again, and when to give up."""

from __future__ import annotations

import random
import threading
import time


class Patience:
    """Waits between failures in a row: longer each time, up to `longest` seconds, with jitter. One for all threads that
    speak to the same end: any success of one of them starts the count again."""

    def __init__(self, seconds: float, longest: float = 10.0) -> None:
        self.seconds = seconds
        self._longest = longest
        self._failing_since: float | None = None
        self._lock = threading.Lock()

    def succeeded(self) -> None:
        with self._lock:
            self._failing_since = None

    def wait_after(self, attempt: int, at_least: float = 0.0) -> float | None:
        """Seconds to wait after the `attempt`-th failure in a row (1, 2, 3 …); None when it has failed for too long."""
        with self._lock:
            now = time.monotonic()
            if self._failing_since is None:
                self._failing_since = now
            left = self._failing_since + self.seconds - now
        if left <= 0 or at_least > left:
            return None
        wait = min(self._longest, 0.25 * 2.0 ** min(attempt - 1, 20)) * (1.0 - random.random() / 2.0)  # noqa: S311 - jitter
        return max(at_least, min(wait, left))
