"""Rate limits: counts per caller.

Flask-Limiter's storage keeps the counts (in memory, or in Redis for several processes). Its own decorators count before
a view can authenticate, and its strategy asks the storage three times per request, so the code counts there itself.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
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


def rate_words(rate: str, noun: str) -> str:
    """`100 per minute` → `100 calls per minute`; `10 per 5 minutes` → `10 attempts per 5 minutes`."""
    item = parse(rate)
    what = f"{item.amount:,} {noun if item.amount == 1 else noun + 's'}"
    unit = item.GRANULARITY.name
    return f"{what} per {unit}" if item.multiples == 1 else f"{what} per {item.multiples} {unit}s"


@dataclass(frozen=True)
class Counted:
    """A caller's count after one more request."""

    rate: str
    allowed: bool
    limit: int
    remaining: int
    resets_at: float  # Unix time

    def require(self, noun: str, whom: str) -> None:
        """Raise RateLimited if this request was one too many. `noun`: what is counted, "upload"; `whom`: "this key"."""
        if self.allowed:
            return
        wait = max(1, math.ceil(self.resets_at - time.time()))
        free_at = datetime.fromtimestamp(math.ceil(self.resets_at), UTC)
        raise RateLimited(
            f"The limit is {rate_words(self.rate, noun)} for {whom}. Go on at {free_at:%H:%M:%S} UTC, in "
            f"{wait} seconds (Retry-After). Refused calls do not lengthen the wait.",
            wait,
        )


def count(rate: str, *who: str) -> Counted:
    """Count one request against `rate` ("30 per hour"), in fixed windows. `who`: the limit's name, then the caller."""
    item, storage = parse(rate), _storage()
    key = item.key_for(*who)
    counted = storage.incr(key, item.get_expiry())
    remaining = max(0, item.amount - counted)
    return Counted(rate, counted <= item.amount, item.amount, remaining, storage.get_expiry(key))


def refund(rate: str, *who: str) -> None:
    """Undo one `count` with the same arguments."""
    _storage().decr(parse(rate).key_for(*who))


def _storage() -> ForgivingRedis | MemoryCounts:
    return cast(ForgivingRedis | MemoryCounts, limiter.storage)
