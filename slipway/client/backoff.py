"""When to retry and when to stop: exponential delays with jitter."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Backoff:
    """Delays in seconds. Jitter removes up to half, so that the servers of a fleet do not retry at the same moment."""

    initial_delay: float = 2.0
    max_delay: float = 300.0
    jitter: Callable[[], float] = field(default=random.random, compare=False)

    def delay(self, attempt: int) -> float:
        """The delay in seconds after failure number `attempt` (1, 2, 3 …)."""
        # The exponent is capped: 2**1100 does not fit a float, and retries never end.
        full = min(self.max_delay, self.initial_delay * 2.0 ** min(attempt - 1, 40))
        return full * (1.0 - self.jitter() / 2.0)


class RetryBudget:
    """Allows retries for `seconds` since the first failure in a row. Delays grow up to `max_delay` seconds, with
    jitter. All threads that use the same server share one budget: the success of any of them resets it."""

    def __init__(self, seconds: float, max_delay: float = 10.0) -> None:
        self.seconds = seconds
        self._max_delay = max_delay
        self._failing_since: float | None = None
        self._lock = threading.Lock()

    def succeeded(self) -> None:
        with self._lock:
            self._failing_since = None

    def wait_after(self, attempt: int, at_least: float = 0.0) -> float | None:
        """Seconds to wait after failure number `attempt` in a row (1, 2, 3 …). None if the budget is used up."""
        with self._lock:
            now = time.monotonic()
            if self._failing_since is None:
                self._failing_since = now
            left = self._failing_since + self.seconds - now
        if left <= 0 or at_least > left:
            return None
        wait = min(self._max_delay, 0.25 * 2.0 ** min(attempt - 1, 20)) * (1.0 - random.random() / 2.0)  # noqa: S311 - jitter
        return max(at_least, min(wait, left))
