"""When to try again, and when to give up: exponential waits with jitter."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Backoff:
    """Waits in seconds. Jitter takes up to half away, so that a fleet does not come back in step."""

    first: float = 2.0
    longest: float = 300.0
    jitter: Callable[[], float] = field(default=random.random, compare=False)

    def delay(self, attempt: int) -> float:
        """The wait after the `attempt`-th failure (1, 2, 3 …)."""
        # The exponent is capped: 2**1100 no longer fits a float, and retries go on without end.
        full = min(self.longest, self.first * 2.0 ** min(attempt - 1, 40))
        return full * (1.0 - self.jitter() / 2.0)


class RetryBudget:
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
