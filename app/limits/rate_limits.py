"""Rate limits: counts per caller.

Flask-Limiter's storage keeps the counts (in memory, or in Redis for several processes). Its own decorators count before
a view can authenticate, so the code calls its strategy directly.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cache
from typing import cast

from limits import RateLimitItem
from limits import parse as parse_rate

from app.data.extensions import limiter
from app.limits.rate_storage import ForgivingRedis, MemoryCounts
from app.refusals import RateLimited


@cache  # the rates are settings, so there are few
def parse(rate: str) -> RateLimitItem:
    """A rate such as "30 per hour"."""
    return parse_rate(rate)


@dataclass(frozen=True)
class Counted:
    """A caller's count after one more request."""

    rate: str
    allowed: bool
    limit: int
    remaining: int
    resets_at: float  # Unix time

    def require(self, whom: str) -> None:
        """Raise RateLimited if this request was one too many. `whom`: "this key"."""
        if self.allowed:
            return
        wait = max(1, math.ceil(self.resets_at - time.time()))
        raise RateLimited(
            f"More than {self.rate} for {whom}. Wait {wait} seconds (Retry-After), then go on; "
            "refused calls do not lengthen the wait.",
            wait,
        )


def count(rate: str, *who: str) -> Counted:
    """Count one request against `rate` ("30 per hour"). `who`: the limit's name, then the caller."""
    item = parse(rate)
    allowed = limiter.limiter.hit(item, *who)
    window = limiter.limiter.get_window_stats(item, *who)
    return Counted(rate, allowed, item.amount, max(0, window.remaining), window.reset_time)


def refund(rate: str, *who: str) -> None:
    """Undo one `count` with the same arguments."""
    storage = cast(ForgivingRedis | MemoryCounts, limiter.storage)
    storage.decr(parse(rate).key_for(*who))
