"""Wrong passwords: how many are looked at before somebody has to wait."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, parse

from app.config import settings
from app.extensions import limiter


class Tries:
    """Wrong tries of somebody, counted under each of several names: (what is counted, for whom)."""

    def __init__(self, *names: tuple[str, str]) -> None:
        self.names = names

    def seconds_to_wait(self) -> int:
        """0, or how long until the next try is looked at."""
        spent = [name for name in self.names if not limiter.limiter.test(_rate(), *name)]
        ends = [limiter.limiter.get_window_stats(_rate(), *name).reset_time for name in spent]
        return max(0, math.ceil(max(ends) - time.time())) if ends else 0

    def count_wrong(self) -> None:
        """Count one more."""
        for name in self.names:
            limiter.limiter.hit(_rate(), *name)


def _rate() -> RateLimitItem:
    return parse(settings().sign_in_rate)


def minutes(seconds: int) -> str:
    """`40 seconds`, `4 minutes`: how long to wait, for people."""
    return f"{seconds} seconds" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"
