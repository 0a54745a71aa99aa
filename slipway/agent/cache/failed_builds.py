"""The state of failed builds: attempts, reasons, and the time of the next retry."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from slipway.agent.path_names import BuildKey
from slipway.client.backoff import Backoff


@dataclass(frozen=True)
class BuildFailure:
    """The last failure of one build. `retry_at` is a time of the monotonic clock, in seconds."""

    attempt: int
    reason: str
    retry_at: float
    disk_full: bool = False


class FailedBuilds:
    """Failures and "Retry now" counters by build. Not thread-safe: the reconciler alone uses it."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._failures: dict[BuildKey, BuildFailure] = {}
        self._retry_seen: dict[BuildKey, int] = {}
        self._furthest: dict[BuildKey, int] = {}

    def failure(self, key: BuildKey) -> BuildFailure | None:
        return self._failures.get(key)

    def next_attempt(self, key: BuildKey) -> int:
        failure = self._failures.get(key)
        return failure.attempt + 1 if failure else 1

    def record_failure(
        self, key: BuildKey, reason: str, now: float, *, bytes_received: int = 0, disk_full: bool = False
    ) -> BuildFailure:
        """Record a failure. An attempt that received more bytes than any before resets the count: a connection that
        breaks after every gigabyte should not lead to waits of minutes."""
        progressed = bytes_received > self._furthest.get(key, 0)
        self._furthest[key] = max(bytes_received, self._furthest.get(key, 0))
        attempt = 1 if progressed else self.next_attempt(key)
        failure = BuildFailure(attempt, reason, now + self._backoff.delay(attempt), disk_full)
        self._failures[key] = failure
        return failure

    def is_due(self, key: BuildKey, now: float) -> bool:
        failure = self._failures.get(key)
        return failure is None or now >= failure.retry_at

    def next_due(self, busy: AbstractSet[BuildKey] = frozenset()) -> float | None:
        """The earliest `retry_at`, or None. Builds in `busy` are already being retried and do not count."""
        waiting = (failure.retry_at for key, failure in self._failures.items() if key not in busy)
        return min(waiting, default=None)

    def update_retry_counter(self, key: BuildKey, retry: int) -> bool:
        """Store the plan's `retry` counter. Returns True if somebody pressed "Retry now" since the last plan."""
        before = self._retry_seen.get(key)
        self._retry_seen[key] = retry
        if before is None or retry == before:
            return False
        self._failures.pop(key, None)
        return True

    def retry_disk_full(self) -> None:
        """Make builds that wait for disk space due at once."""
        for key, failure in self._failures.items():
            if failure.disk_full:
                self._failures[key] = BuildFailure(failure.attempt, failure.reason, 0.0, disk_full=True)

    def clear(self, key: BuildKey) -> None:
        self._failures.pop(key, None)
        self._furthest.pop(key, None)

    def retain(self, wanted: set[BuildKey]) -> None:
        """Drop the state of builds that are no longer in the plan."""
        for table in (self._failures, self._retry_seen, self._furthest):
            for key in [key for key in table if key not in wanted]:
                del table[key]
