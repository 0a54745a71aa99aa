"""A client of Valkey or Redis for requests that must not wait long."""

from __future__ import annotations

from typing import Any

MAX_SECONDS = 1.0  # the maximum that a request with an announcement waits for Redis


def quick_redis_client(url: str) -> Any:
    """A client whose connections and answers have a time limit."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # One retry, for a connection that Redis closed while it was idle. The default is ten retries with pauses.
    return redis.Redis.from_url(
        url, socket_timeout=MAX_SECONDS, socket_connect_timeout=MAX_SECONDS, retry=Retry(NoBackoff(), 1)
    )
