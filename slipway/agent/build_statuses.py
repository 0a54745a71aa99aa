"""The status of each build on this server, as reports show it. The reconciler and the fetch threads update it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from typing import Any

from slipway.agent.cache.failed_builds import BuildFailure
from slipway.agent.fetch_source import FetchSource
from slipway.agent.path_names import BuildKey
from slipway.client.printable import one_line
from slipway.client.rate import RateMeter


class Phase(StrEnum):
    PENDING = "pending"
    DOWNLOADING = "downloading"
    VERIFYING = "verifying"
    CACHED = "cached"
    FAILED = "failed"
    EVICTING = "evicting"
    REMOVED = "removed"


ACTIVE_PHASES = frozenset({Phase.DOWNLOADING, Phase.VERIFYING, Phase.EVICTING})
# In these phases there are no bytes on the server that could have a source.
_WITHOUT_SOURCE = frozenset({Phase.PENDING, Phase.EVICTING, Phase.REMOVED})


@dataclass
class _Status:
    phase: Phase
    total: int
    done: int = 0
    attempt: int = 1
    failure: BuildFailure | None = None
    source: FetchSource | None = None
    meter: RateMeter = field(default_factory=RateMeter)


class BuildStatuses:
    """Thread-safe. `on_change` is called without the lock when a phase changes."""

    def __init__(self, on_change: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._rows: dict[BuildKey, _Status] = {}
        self._lock = Lock()
        self._on_change = on_change
        self._clock = clock

    def set_phase(
        self,
        key: BuildKey,
        phase: Phase,
        total: int = 0,
        done: int = 0,
        attempt: int = 1,
        source: FetchSource | None = None,
    ) -> None:
        """Set the phase of `key`, if it differs. Sizes are in bytes; `total` 0 keeps the previous size, `source` None
        the previous source."""
        with self._lock:
            before = self._rows.get(key)
            if phase not in _WITHOUT_SOURCE and before:
                source = source or before.source
            if before and (before.phase, before.attempt, before.source) == (phase, attempt, source):
                return
            total = total or (before.total if before else 0)
            self._rows[key] = _Status(phase, total, done, attempt, source=source)
        self._on_change()

    def set_failure(self, key: BuildKey, total: int, failure: BuildFailure) -> None:
        with self._lock:
            before = self._rows.get(key)
            if before and before.failure == failure:
                return
            done = before.done if before and before.phase == Phase.DOWNLOADING else 0
            source = before.source if before else None
            self._rows[key] = _Status(Phase.FAILED, total, done, failure.attempt, failure, source)
        self._on_change()

    def set_progress(self, key: BuildKey, done: int, transferred: int = 0) -> None:
        """Set the progress of `key`: `done` bytes of its phase in total, `transferred` of them received just now."""
        with self._lock:
            row = self._rows.get(key)
            if row:
                row.done = done
                if transferred:
                    row.meter.add(self._clock(), transferred)

    def phase(self, key: BuildKey) -> Phase | None:
        with self._lock:
            row = self._rows.get(key)
            return row.phase if row else None

    def keys(self) -> set[BuildKey]:
        with self._lock:
            return set(self._rows)

    @property
    def has_active_builds(self) -> bool:
        with self._lock:
            return any(row.phase in ACTIVE_PHASES for row in self._rows.values())

    def drop_removed(self, keys: set[BuildKey]) -> None:
        """Forget builds in phase `removed`, after the platform accepted a report that listed `keys`."""
        with self._lock:
            for key in keys:
                if key in self._rows and self._rows[key].phase == Phase.REMOVED:
                    del self._rows[key]

    def report(self) -> list[dict[str, Any]]:
        """The field `builds` of a report (docs/agents.md)."""
        now = self._clock()
        with self._lock:
            return [_entry(key, row, now) for key, row in sorted(self._rows.items())]


def _entry(key: BuildKey, row: _Status, now: float) -> dict[str, Any]:
    failure = row.failure
    return {
        "gameId": key.game_id,
        "build": key.build,
        "phase": row.phase.value,
        "bytesDone": row.total if row.phase == Phase.CACHED else min(row.done, row.total),
        "bytesTotal": row.total,
        "bytesPerSecond": row.meter.rate(now) if row.phase == Phase.DOWNLOADING else 0,
        "attempt": row.attempt,
        "reason": one_line(failure.reason) if failure else None,
        "retryInSeconds": max(0, round(failure.retry_at - now)) if failure else None,
        "source": row.source.document() if row.source else None,
    }
