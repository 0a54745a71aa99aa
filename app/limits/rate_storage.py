"""Storage for the counts of rate limits: this process's memory, or Redis. While Redis does not answer, this process's
memory replaces it.

An outage of the cache must not stop the API. Each process then counts for itself: the limits are milder, but they still
exist.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from limits.storage import RedisStorage, Storage
from redis.exceptions import RedisError

from app.process.redis_state import redis_state

IN_MEMORY = "counts+memory://"
SCHEME = "forgiving+"
# After a failure, the pause before Redis is tried again, so that not every request waits for it.
PAUSE_SECONDS = 5.0
TIMEOUT_SECONDS = 1.0
FORGET_SECONDS = 60.0  # between two removals of counts whose window is over
# Must not start a new window below zero, which would never expire.
_DECREASE = b"""
if tonumber(redis.call("get", KEYS[1]) or "0") > 0 then
    return redis.call("decr", KEYS[1])
end
return 0
"""

Found = TypeVar("Found")


class MemoryCounts(Storage):
    """`counts+memory://` for Flask-Limiter, which finds this class by its scheme.

    The library's own memory storage loses counts when several threads start a window at the same moment, and so allows
    more than the limit.
    """

    STORAGE_SCHEME = ["counts+memory"]

    def __init__(self, uri: str | None = None, **options: float | str | bool) -> None:
        super().__init__(uri, **options)  # type: ignore[arg-type]  # options only
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}  # key -> count, end of the window in Unix time
        self._forgets_at = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        with self._lock:
            self._drop_old()
            count, end = self._counts.get(key, (0, 0.0))
            if end <= time.time():
                count, end = 0, time.time() + expiry
            self._counts[key] = (count + amount, end)
            return count + amount

    def decr(self, key: str) -> int:
        """Subtract one, if the window is still the same. Returns the count."""
        with self._lock:
            count, end = self._counts.get(key, (0, 0.0))
            if end <= time.time():
                return 0
            self._counts[key] = (max(0, count - 1), end)
            return self._counts[key][0]

    def get(self, key: str) -> int:
        count, end = self._counts.get(key, (0, 0.0))
        return count if end > time.time() else 0

    def get_expiry(self, key: str) -> float:
        return max(self._counts.get(key, (0, 0.0))[1], time.time())

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        with self._lock:
            count = len(self._counts)
            self._counts.clear()
        return count

    def clear(self, key: str) -> None:
        with self._lock:
            self._counts.pop(key, None)

    def _drop_old(self) -> None:
        present = time.time()
        if present < self._forgets_at:
            return
        self._forgets_at = present + FORGET_SECONDS
        self._counts = {key: kept for key, kept in self._counts.items() if kept[1] > present}


class ForgivingRedis(RedisStorage):
    """`forgiving+redis://…` for Flask-Limiter, which finds this class by its scheme."""

    STORAGE_SCHEME = [f"{SCHEME}redis", f"{SCHEME}rediss"]

    def __init__(self, uri: str, **options: float | str | bool) -> None:
        timeouts = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
        super().__init__(uri.removeprefix(SCHEME), **timeouts | options)  # type: ignore[arg-type]  # options only
        self._decrease = self.get_connection().register_script(_DECREASE)
        self._here = MemoryCounts()
        self._away_until = 0.0

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        redis = super().incr
        return self._ask(lambda: redis(key, expiry, amount), lambda: self._here.incr(key, expiry, amount))

    def decr(self, key: str) -> int:
        """Subtract one, if the window is still the same. Returns the count."""
        return self._ask(lambda: int(self._decrease([self.prefixed_key(key)])), lambda: self._here.decr(key))

    def get(self, key: str) -> int:
        redis = super().get
        return self._ask(lambda: redis(key), lambda: self._here.get(key))

    def get_expiry(self, key: str) -> float:
        redis = super().get_expiry
        return self._ask(lambda: redis(key), lambda: self._here.get_expiry(key))

    def _ask(self, there: Callable[[], Found], here: Callable[[], Found]) -> Found:
        if time.monotonic() >= self._away_until:
            try:
                found = there()
            except RedisError as error:
                self._away_until = time.monotonic() + PAUSE_SECONDS
                redis_state.failed(type(error).__name__)
            else:
                redis_state.worked()
                return found
        return here()
