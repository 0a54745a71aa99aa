"""The disk floor: the space that downloads leave free. Parallel downloads reserve space from one account."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from threading import Lock

from slipway.agent.path_names import BuildKey
from slipway.client.sizes import format_limit, format_size


class DiskFull(Exception):
    """str() is the reason for people, with sizes."""


def is_disk_full(error: OSError) -> bool:
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


class DiskSpace:
    """Reservations by build. All values are in bytes."""

    def __init__(self, cache: Path, floor: int) -> None:
        self._cache = cache
        self.floor = floor
        self._reserved: dict[BuildKey, int] = {}
        self._lock = Lock()

    def total_and_free(self) -> tuple[int, int]:
        usage = shutil.disk_usage(self._cache)
        return usage.total, usage.free

    def reserve(self, key: BuildKey, need: int) -> None:
        """Reserve `need` bytes for `key`. Raises DiskFull if less is free above the floor and the space that other
        downloads have reserved and not written yet."""
        with self._lock:
            free = self.total_and_free()[1]
            others = sum(left for other, left in self._reserved.items() if other != key)
            if need > free - self.floor - others:
                raise DiskFull(self._reason(need, free, others))
            self._reserved[key] = need

    def record_written(self, key: BuildKey, count: int) -> None:
        with self._lock:
            if key in self._reserved:
                self._reserved[key] = max(0, self._reserved[key] - count)

    def free_reservation(self, key: BuildKey) -> None:
        with self._lock:
            self._reserved.pop(key, None)

    def is_below_floor(self) -> bool:
        return self.total_and_free()[1] < self.floor

    def check_floor(self, need: int) -> None:
        """Check that other programs have not used up the space. Raises DiskFull."""
        free = self.total_and_free()[1]
        if free < self.floor:
            raise DiskFull(self._reason(need, free, 0))

    def disk_full_error(self, need: int) -> DiskFull:
        """The error for a write that failed with ENOSPC or EDQUOT."""
        return DiskFull(self._reason(need, self.total_and_free()[1], 0))

    def _reason(self, need: int, free: int, others: int) -> str:
        also = f", {format_size(others)} of it reserved for other downloads" if others else ""
        return (
            f"disk full: {format_size(need)} needed above the floor of {format_limit(self.floor)}, "
            f"{format_size(free)} free{also}"
        )
