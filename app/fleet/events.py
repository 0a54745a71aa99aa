"""The event hub: who waits for a topic is woken when its version changes.

Facts are rows; the hub only says "look again". A change made in this process wakes at once, one made by another process
over Redis where it is configured, and any other (a command, a worker) when the topics are read again, every 2 s.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from app.models.base import now
from app.models.record import Topic

if TYPE_CHECKING:
    from flask import Flask

log = logging.getLogger(__name__)

REREAD_SECONDS = 2.0
_REDIS_CHANNEL = "slipway:topics"


class _Channel:
    """One watched topic in this process."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.version = -1
        self.waiters = 0

    def move_to(self, version: int) -> None:
        with self.condition:
            if version > self.version:
                self.version = version
                self.condition.notify_all()


class Hub:
    """Process-wide. Threads block in `wait()`; they must not hold a database connection while they do."""

    def __init__(self) -> None:
        self.stopping = False
        self._channels: dict[str, _Channel] = {}
        self._lock = threading.Lock()
        self._app: Flask | None = None
        self._redis: Any = None
        self._reader: threading.Thread | None = None
        self._wake_reader = threading.Event()

    def init_app(self, app: Flask, redis_url: str | None) -> None:
        """Bind to the app whose database holds the topics."""
        self._app = app
        self.stopping = False
        if redis_url:
            import redis

            self._redis = redis.Redis.from_url(redis_url, socket_timeout=5)

    def version(self, topic: str) -> int:
        """The topic's version now; 0 for one that never changed."""
        channel = self._channels.get(topic)
        if channel is not None and channel.version >= 0:
            return channel.version
        return self._stored_version(topic)

    def wait(self, topic: str, seen: int, timeout: float) -> int:
        """Block until the topic's version is not `seen`, `timeout` seconds passed, or the process stops; return the
        version then."""
        self._start_reader()
        with self._lock:
            channel = self._channels.setdefault(topic, _Channel())
            channel.waiters += 1
        try:
            if channel.version < 0:
                channel.move_to(self._stored_version(topic))
            with channel.condition:
                channel.condition.wait_for(lambda: self.stopping or channel.version != seen, timeout)
            return channel.version
        finally:
            with self._lock:
                channel.waiters -= 1
                if channel.waiters == 0:
                    self._channels.pop(topic, None)

    def notify(self, versions: Mapping[str, int]) -> None:
        """Called after the commit that raised these versions."""
        for topic, version in versions.items():
            channel = self._channels.get(topic)
            if channel is not None:
                channel.move_to(version)
        if self._redis is not None:
            try:
                self._redis.publish(_REDIS_CHANNEL, " ".join(f"{name}={number}" for name, number in versions.items()))
            except Exception:  # the 2 s re-read brings the news anyway
                log.warning("live events: Redis did not take a message; other processes see it within 2 s")

    def stop(self) -> None:
        """Wake everybody: streams and polls end now."""
        self.stopping = True
        self._wake_reader.set()
        for channel in list(self._channels.values()):
            with channel.condition:
                channel.condition.notify_all()

    def _engine(self) -> Engine:
        if self._app is None:
            raise RuntimeError("the hub is not bound to an app")
        from app.extensions import db

        with self._app.app_context():
            return db.engine

    def _stored_version(self, topic: str) -> int:
        with self._engine().connect() as connection:
            found = connection.scalar(select(Topic.version).where(Topic.name == topic))
        return found or 0

    def _start_reader(self) -> None:
        # Started by the first waiter, so that commands and tests that never wait have no thread.
        if self._reader is not None and self._reader.is_alive():
            return
        with self._lock:
            if self._reader is None or not self._reader.is_alive():
                self._reader = threading.Thread(target=self._read_again, name="topics", daemon=True)
                self._reader.start()
                if self._redis is not None:
                    threading.Thread(target=self._listen, name="topics-redis", daemon=True).start()

    def _read_again(self) -> None:
        since = now() - timedelta(seconds=30)
        while not self._wake_reader.wait(REREAD_SECONDS):
            begun = now()
            try:
                with self._engine().connect() as connection:
                    rows = connection.execute(select(Topic.name, Topic.version).where(Topic.changed_at >= since)).all()
            except SQLAlchemyError:
                log.warning("live events: the database did not answer; trying again in %s s", REREAD_SECONDS)
                continue
            for name, version in rows:
                channel = self._channels.get(name)
                if channel is not None:
                    channel.move_to(version)
            # A transaction stamps its topics before it commits: look back far enough to see slow ones.
            since = begun - timedelta(seconds=30)

    def _listen(self) -> None:
        while not self.stopping:
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
                    subscription.subscribe(_REDIS_CHANNEL)
                    while not self.stopping:
                        message = subscription.get_message(timeout=1.0)
                        if message:
                            self._heard(message["data"].decode())
            except Exception:  # any failure of Redis: the re-read goes on, and we subscribe again
                log.warning("live events: Redis is unreachable; subscribing again in 2 s")
                time.sleep(REREAD_SECONDS)  # a pause between reconnections, in a thread of its own

    def _heard(self, text: str) -> None:
        for part in text.split():
            name, _, number = part.rpartition("=")
            channel = self._channels.get(name)
            if channel is not None:
                channel.move_to(int(number))


hub = Hub()


def game_topic(game_id: str) -> str:
    """What a game's page watches: its builds, releases and replicas."""
    return f"game:{game_id}"


def plan_topic(server_id: str) -> str:
    """What one server should hold."""
    return f"plan:{server_id}"


def partner_topic(partner_id: str) -> str:
    """A partner's list of games and how far each has come on the servers."""
    return f"partner:{partner_id}"


def catalog_topic(partner_id: str) -> str:
    """A partner's games themselves, whatever the servers do: what the API's list shows."""
    return f"catalog:{partner_id}"


FLEET_TOPIC = "fleet"
