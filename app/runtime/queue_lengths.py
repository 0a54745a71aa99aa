"""How many jobs wait in the queues, read without waiting for a queue that does not answer."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from typing import Any

from redis.exceptions import RedisError

from app.process.state_log import StateLog
from app.topics.redis_client import quick_redis_client


class QueueLengths:
    """Reads the lengths of some Huey queues. Not through Huey's own connections to Redis, which have no time limit."""

    def __init__(self, queues: Sequence[Any], redis_url: str | None) -> None:
        self._storages = {queue.name: queue.storage for queue in queues}
        self._outages = StateLog(
            logging.getLogger(__name__), "the job queue does not answer: %s", "the job queue answers again"
        )
        self._redis = quick_redis_client(redis_url) if redis_url else None

    def read(self) -> dict[str, int] | None:
        """By the queue's name. None if they do not answer within some seconds."""
        try:
            lengths = self._in_sqlite() if self._redis is None else self._in_redis(self._redis)
        except (RedisError, sqlite3.Error) as error:
            self._outages.failed(type(error).__name__)
            return None
        self._outages.worked()
        return lengths

    def _in_sqlite(self) -> dict[str, int]:
        return {name: int(storage.queue_size()) for name, storage in self._storages.items()}

    def _in_redis(self, client: Any) -> dict[str, int]:
        with client.pipeline(transaction=False) as asked:
            for storage in self._storages.values():
                asked.llen(storage.queue_key)
            return dict(zip(self._storages, asked.execute(), strict=True))
