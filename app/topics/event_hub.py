"""The event hub: wakes threads that wait for a topic when its version changes.

The facts are rows; the hub only tells waiting threads to read them again. A change made in this process wakes them at
once, a change by another process through Redis if it is configured, and any other change (a command, a worker) when the
hub reads the topics again, every 2 s.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from app.data.database import when_topics_change
from app.data.extensions import db
from app.data.models.audit_record import Topic
from app.data.models.base import now
from app.data.outages import database_state, outage_in
from app.process.redis_state import redis_state
from app.topics.redis_client import quick_redis_client

if TYPE_CHECKING:
    from flask import Flask

log = logging.getLogger(__name__)

REREAD_SECONDS = 2.0
CACHE_SECONDS = 60.0  # how long a topic is cached after its last waiter
# A transaction stamps its topics before it commits, and machines' clocks differ. This span covers both.
_LOOK_BACK = timedelta(seconds=30)


class _Waiter:
    """A thread that waits, on its own lock. `line` holds the waiters that were woken with it and have not had their
    turn. `names` are the names for waking it alone."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = names
        self.turn = threading.Lock()
        self.turn.acquire()
        self.line: deque[_Waiter] | None = None


class _Channel:
    """A topic's version, and the waiters for the next one.

    When the version changes, only a few waiters begin, and each lets the next one begin. A thousand threads at once
    would keep each other from the interpreter for longer than their work takes.
    """

    AT_ONCE = 8

    def __init__(self) -> None:
        self.version = -1  # not read yet
        self.used_at = time.monotonic()
        self._lock = threading.Lock()
        self._waiting: set[_Waiter] = set()
        self._stopped = False

    @property
    def waiters(self) -> int:
        return len(self._waiting)

    def move_to(self, version: int) -> None:
        with self._lock:
            if version > self.version:
                self.version = version
                self._wake()

    def stop(self) -> None:
        """Wake all waiters, and let no thread wait again."""
        with self._lock:
            self._stopped = True
            self._wake()

    def wake(self, names: Collection[str]) -> None:
        """Wake the waiters with these names, although nothing has changed."""
        with self._lock:
            found = {waiter for waiter in self._waiting if any(name in names for name in waiter.names)}
            self._waiting -= found
        for waiter in found:
            waiter.turn.release()

    def wait(self, seen: int, timeout: float, names: Collection[str] = ()) -> None:
        """Wait until the version is not `seen`, `wake` is called with one of the names, or the process stops."""
        own = _Waiter(names)
        with self._lock:
            if self.version != seen or self._stopped:
                return
            self._waiting.add(own)
        if own.turn.acquire(timeout=timeout):
            _release_next(own.line)
            return
        with self._lock:
            self._waiting.discard(own)
        if own.line is not None:  # woken, but it was not its turn yet
            try:
                own.line.remove(own)
            except ValueError:
                _release_next(own.line)  # its turn came at this very moment

    def is_idle(self, since: float) -> bool:
        return self.used_at < since and not self._waiting

    def _wake(self) -> None:
        line = deque(self._waiting)
        for waiter in line:
            waiter.line = line
        self._waiting = set()
        for _ in range(self.AT_ONCE):
            _release_next(line)


def _release_next(line: deque[_Waiter] | None) -> None:
    if line:
        with contextlib.suppress(IndexError):  # another thread took the last one
            line.popleft().turn.release()


class _Listener:
    """A callback that runs when a topic changes."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._version = -1
        self._lock = threading.Lock()

    def move_to(self, version: int) -> None:
        with self._lock:
            if version <= self._version:
                return
            self._version = version
        self._changed()


class Hub:
    """Process-wide. Threads block in `wait()`, and must not hold a database connection meanwhile."""

    def __init__(self) -> None:
        self.stopping = False
        self._channels: dict[str, _Channel] = {}
        self._listeners: dict[str, _Listener] = {}
        self._lock = threading.Lock()
        self._app: Flask | None = None
        self._redis: Any = None
        self._redis_channel = ""
        self._redis_rests_until = 0.0
        self._reader: threading.Thread | None = None
        self._stopped = threading.Event()

    def init_app(self, app: Flask, redis_url: str | None) -> None:
        """Bind to the app whose database holds the topics, and drop the state of any earlier app."""
        when_topics_change(self.notify)
        self._stopped.set()  # ends the threads of an earlier app
        self._stopped = threading.Event()
        self._reader = None
        self._app = app
        self._channels = {}
        self._listeners = {}
        self.stopping = False
        self._redis = quick_redis_client(redis_url) if redis_url else None
        # Pub/sub ignores database numbers: two installations on one Redis would receive each other's versions. The
        # processes of one installation share their secret.
        secret = str(app.config["SECRET_KEY"]).encode()
        self._redis_channel = f"slipway:topics:{hmac.digest(secret, b'topics', 'sha256').hex()[:16]}"

    def version(self, topic: str) -> int:
        """The topic's version as this process has it (a change by another process may take 2 s). 0 for a topic that
        never changed."""
        channel = self._channels.get(topic)
        if channel is not None and channel.version >= 0:
            return channel.version
        return self._stored_version(topic)

    def listen(self, topic: str, changed: Callable[[], None]) -> None:
        """Call `changed` after each change of the topic, in the thread that notices it first."""
        self._listeners[topic] = _Listener(changed)

    def wake(self, names: Collection[str]) -> None:
        """Wake the waiters with these names now."""
        for channel in list(self._channels.values()):
            channel.wake(names)

    def wait(self, topic: str, seen: int, timeout: float, names: Collection[str] = ()) -> int:
        """Block until the topic's version is not `seen`, `wake` is called with one of the names, `timeout` seconds have
        passed, or the process stops. Returns the version then. `seen` was read from the database, so an older cached
        version is raised to it."""
        self._start_reader()
        channel = self._channels.get(topic) or self._channels.setdefault(topic, _Channel())
        channel.used_at = time.monotonic()
        if channel.version < 0:
            channel.move_to(self._stored_version(topic))
        if channel.version < seen:
            channel.move_to(seen)
        if not self.stopping:
            channel.wait(seen, max(0.0, timeout), names)
        return channel.version

    def notify(self, versions: Mapping[str, int]) -> None:
        """Called after the commit that raised these versions."""
        for topic, version in versions.items():
            self._move(topic, version)
        if self._redis is None or time.monotonic() < self._redis_rests_until:
            return
        try:
            self._redis.publish(self._redis_channel, " ".join(f"{name}={number}" for name, number in versions.items()))
            redis_state.worked()
        except Exception as error:  # of any kind: the read every 2 s catches up
            # Without this pause, every report and release would wait for a Redis that does not answer.
            self._redis_rests_until = time.monotonic() + REREAD_SECONDS
            redis_state.failed(type(error).__name__)

    def stop(self) -> None:
        """Wake all waiters: streams and polls end now."""
        self.stopping = True
        self._stopped.set()
        for channel in list(self._channels.values()):
            channel.stop()

    def _move(self, topic: str, version: int) -> None:
        channel = self._channels.get(topic)
        if channel is not None:
            channel.move_to(version)
        listener = self._listeners.get(topic)
        if listener is not None:
            listener.move_to(version)

    def _engine(self) -> Engine:
        if self._app is None:
            raise RuntimeError("the hub is not bound to an app")
        with self._app.app_context():
            return db.engine

    def _stored_version(self, topic: str) -> int:
        with self._engine().connect() as connection:
            found = connection.scalar(select(Topic.version).where(Topic.name == topic))
        return found or 0

    def _start_reader(self) -> None:
        # The first waiter starts the reader, so that commands and tests that never wait have no thread.
        if self._reader is not None and self._reader.is_alive():
            return
        with self._lock:
            if self.stopping or (self._reader is not None and self._reader.is_alive()):
                return
            stopped, engine = self._stopped, self._engine()
            self._reader = threading.Thread(target=self._read_again, args=(stopped, engine), name="topics", daemon=True)
            self._reader.start()
            if self._redis is not None:
                threading.Thread(target=self._listen, args=(stopped,), name="topics-redis", daemon=True).start()

    def _read_again(self, stopped: threading.Event, engine: Engine) -> None:
        since = now() - _LOOK_BACK
        while not stopped.wait(REREAD_SECONDS):
            begun = now()
            try:
                with engine.connect() as connection:
                    rows = connection.execute(select(Topic.name, Topic.version).where(Topic.changed_at >= since)).all()
            except SQLAlchemyError as error:
                if outage_in(error) is None:
                    log.warning("live events: the topics cannot be read; trying again in %s s", REREAD_SECONDS)
                continue
            database_state.worked()
            for name, version in rows:
                self._move(name, version)
            since = begun - _LOOK_BACK
            self._drop_idle()

    def _drop_idle(self) -> None:
        # Not when the last waiter leaves: after each change, all pages of a topic are away for a moment, and each would
        # query the database when it comes back.
        since = time.monotonic() - CACHE_SECONDS
        for topic, channel in list(self._channels.items()):
            if channel.is_idle(since):
                self._channels.pop(topic, None)
                if not channel.is_idle(since):  # a waiter came at this very moment
                    self._channels.setdefault(topic, channel)

    def _listen(self, stopped: threading.Event) -> None:
        while not stopped.is_set():
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
                    subscription.subscribe(self._redis_channel)
                    redis_state.worked()
                    while not stopped.is_set():
                        message = subscription.get_message(timeout=1.0)
                        if message:
                            self._heard(message["data"].decode())
            except Exception as error:  # any failure of Redis: the reader goes on, and this thread subscribes again
                redis_state.failed(type(error).__name__)
                stopped.wait(REREAD_SECONDS)

    def _heard(self, text: str) -> None:
        for part in text.split():
            name, _, number = part.rpartition("=")
            self._move(name, int(number))


hub = Hub()
