"""Counts of rate limits in Redis, and in this process for as long as Redis does not answer.

A cache that is away must not take the API with it. Each process counts for itself then: too mild, but not without end.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from limits.storage import MemoryStorage, RedisStorage
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

SCHEME = "forgiving+"
# After a failure Redis is left alone this long, so that not every request waits for it.
PAUSE_SECONDS = 5.0
TIMEOUT_SECONDS = 1.0

Found = TypeVar("Found")


class ForgivingRedis(RedisStorage):
    """`forgiving+redis://…` for Flask-Limiter, which finds it by its scheme."""

    STORAGE_SCHEME = [f"{SCHEME}redis", f"{SCHEME}rediss"]

    def __init__(self, uri: str, **options: float | str | bool) -> None:
        timeouts = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
        super().__init__(uri.removeprefix(SCHEME), **timeouts | options)  # type: ignore[arg-type]  # options only
        self._here = MemoryStorage()
        self._away_until = 0.0

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        redis = super().incr
        return self._ask(lambda: redis(key, expiry, amount), lambda: self._here.incr(key, expiry, amount))

    def get(self, key: str) -> int:
        redis = super().get
        return self._ask(lambda: redis(key), lambda: self._here.get(key))

    def get_expiry(self, key: str) -> float:
        redis = super().get_expiry
        return self._ask(lambda: redis(key), lambda: self._here.get_expiry(key))

    def _ask(self, there: Callable[[], Found], here: Callable[[], Found]) -> Found:
        if time.monotonic() >= self._away_until:
            try:
                return there()
            except RedisError as error:
                self._away_until = time.monotonic() + PAUSE_SECONDS
                log.warning("Redis does not answer (%s): rate limits are counted in this process", type(error).__name__)
        return here()
