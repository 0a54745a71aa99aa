"""The health fields of the game server contract (§2.2): percentages 0 to 100 with one decimal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil


class Health:
    def __init__(self, cache: Path) -> None:
        self._cache = cache
        psutil.cpu_percent()  # Each call measures since the previous one; this first call only starts the interval.

    def read(self, sessions: int, failing: Sequence[str] = ()) -> dict[str, Any]:
        """`status` is "error" if the cache volume cannot be read, or if anything of the agent is `failing`."""
        try:
            disk_percent, status = psutil.disk_usage(str(self._cache)).percent, "ok"
        except OSError:
            disk_percent, status = 0.0, "error"
        if failing:
            status = "error"
        return {
            "status": status,
            "containers": sessions,
            "cpu_percent": round(psutil.cpu_percent(), 1),
            "memory_percent": round(psutil.virtual_memory().percent, 1),
            "disk_percent": round(disk_percent, 1),
        }
