"""The event hub: who waits for a topic is woken when its version changes.

Facts are rows; the hub only says "look again". A change made in this process wakes at once, one made by another process
over Redis where it is configured, and any other (a command, a worker) when the topics are read again, every 2 s.
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

from app.models.base import now
from app.models.record import Topic

if TYPE_CHECKING:
    from flask import Flask

log = logging.getLogger(__name__)

REREAD_SECONDS = 2.0
KEPT_SECONDS = 60.0  # that a topic is remembered when nobody waits for it any more
_REDIS_SECONDS = 1.0  # a request that announces something waits this long for Redis, and no longer
# A transaction stamps its topics before it commits, and machines' clocks differ: look back far enough to see both.
_LOOK_BACK = timedelta(seconds=30)


class _Waiter:
    """A thread that waits, on a lock of its own. `line` are those woken with it whose turn is still to come; `name` is
    that by which it can be woken alone."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.turn = threading.Lock()
        self.turn.acquire()
        self.line: deque[_Waiter] | None = None


class _Channel:
    """A topic's version, and who waits for the next.

    Of those that are woken a few begin, and each lets the next one begin: a thousand threads at once would keep each
    other from the interpreter for longer than their work takes."""

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
        """Wake everybody, and let nobody wait again."""
        with self._lock:
            self._stopped = True
            self._wake()

    def wake(self, names: Collection[str]) -> None:
        """Let those that wait under these names go on, although nothing has changed."""
        with self._lock:
            found = {waiter for waiter in self._waiting if waiter.name in names}
            self._waiting -= found
        for waiter in found:
            waiter.turn.release()

    def wait(self, seen: int, timeout: float, name: str = "") -> None:
        """Until the version is not `seen`, somebody calls the name, or the process stops."""
        own = _Waiter(name)
        with self._lock:
            if self.version != seen or self._stopped:
                return
            self._waiting.add(own)
        if own.turn.acquire(timeout=timeout):
            _let_next(own.line)
            return
        with self._lock:
            self._waiting.discard(own)
        if own.line is not None:  # woken, but it was not its turn yet
            try:
                own.line.remove(own)
            except ValueError:
                _let_next(own.line)  # its turn came this very moment

    def is_idle(self, since: float) -> bool:
        return self.used_at < since and not self._waiting

    def _wake(self) -> None:
        line = deque(self._waiting)
        for waiter in line:
            waiter.line = line
        self._waiting = set()
        for _ in range(self.AT_ONCE):
            _let_next(line)


def _let_next(line: deque[_Waiter] | None) -> None:
    if line:
        with contextlib.suppress(IndexError):  # another thread took the last one
            line.popleft().turn.release()


class _Listener:
    """Somebody who is called, instead of waiting, when a topic changes."""

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
    """Process-wide. Threads block in `wait()`; they must not hold a database connection while they do."""

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
        """Bind to the app whose database holds the topics, and forget any app before it."""
        self._stopped.set()  # the threads of the app before, if any, end
        self._stopped = threading.Event()
        self._reader = None
        self._app = app
        self._channels = {}
        self._listeners = {}
        self.stopping = False
        self._redis = _redis_client(redis_url) if redis_url else None
        # Pub/sub knows no database numbers: two installations on one Redis would hear each other's versions. The
        # processes of one installation share their secret.
        secret = str(app.config["SECRET_KEY"]).encode()
        self._redis_channel = f"slipway:topics:{hmac.digest(secret, b'topics', 'sha256').hex()[:16]}"

    def version(self, topic: str) -> int:
        """The topic's version as far as this process knows (another process's change may take 2 s); 0 for one that
        never changed."""
        channel = self._channels.get(topic)
        if channel is not None and channel.version >= 0:
            return channel.version
        return self._stored_version(topic)

    def listen(self, topic: str, changed: Callable[[], None]) -> None:
        """Call `changed` after each change of the topic, in whatever thread hears of it first."""
        self._listeners[topic] = _Listener(changed)

    def wake(self, names: Collection[str]) -> None:
        """Let those that wait under these names go on now."""
        for channel in list(self._channels.values()):
            channel.wake(names)

    def wait(self, topic: str, seen: int, timeout: float, name: str = "") -> int:
        """Block until the topic's version is not `seen`, `wake` is called with the name, `timeout` seconds passed, or
        the process stops; return the version then. `seen` is a version that was read before, so that is where an older
        memory is moved to."""
        self._start_reader()
        channel = self._channels.get(topic) or self._channels.setdefault(topic, _Channel())
        channel.used_at = time.monotonic()
        if channel.version < 0:
            channel.move_to(self._stored_version(topic))
        if channel.version < seen:
            channel.move_to(seen)
        if not self.stopping:
            channel.wait(seen, max(0.0, timeout), name)
        return channel.version

    def notify(self, versions: Mapping[str, int]) -> None:
        """Called after the commit that raised these versions."""
        for topic, version in versions.items():
            self._move(topic, version)
        if self._redis is None or time.monotonic() < self._redis_rests_until:
            return
        try:
            self._redis.publish(self._redis_channel, " ".join(f"{name}={number}" for name, number in versions.items()))
        except Exception:  # of any kind: the 2 s re-read brings the news anyway
            # Without the rest, every report and release would wait for a Redis that does not answer.
            self._redis_rests_until = time.monotonic() + REREAD_SECONDS
            log.warning("live events: Redis did not take a message; other processes see it within 2 s")

    def stop(self) -> None:
        """Wake everybody: streams and polls end now."""
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
            except SQLAlchemyError:
                log.warning("live events: the database did not answer; trying again in %s s", REREAD_SECONDS)
                continue
            for name, version in rows:
                self._move(name, version)
            since = begun - _LOOK_BACK
            self._forget_idle()

    def _forget_idle(self) -> None:
        # Not when the last one leaves: those who watch a page are all away for a moment after each change, and would
        # each ask the database when they come back.
        since = time.monotonic() - KEPT_SECONDS
        for topic, channel in list(self._channels.items()):
            if channel.is_idle(since):
                self._channels.pop(topic, None)
                if not channel.is_idle(since):  # somebody came at this very moment
                    self._channels.setdefault(topic, channel)

    def _listen(self, stopped: threading.Event) -> None:
        while not stopped.is_set():
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
                    subscription.subscribe(self._redis_channel)
                    while not stopped.is_set():
                        message = subscription.get_message(timeout=1.0)
                        if message:
                            self._heard(message["data"].decode())
            except Exception:  # any failure of Redis: the re-read goes on, and we subscribe again
                log.warning("live events: Redis is unreachable; subscribing again in %s s", REREAD_SECONDS)
                stopped.wait(REREAD_SECONDS)

    def _heard(self, text: str) -> None:
        for part in text.split():
            name, _, number = part.rpartition("=")
            self._move(name, int(number))


def _redis_client(url: str) -> Any:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # One retry, for a connection that Redis closed while it lay idle; by default there are ten, with pauses.
    return redis.Redis.from_url(
        url, socket_timeout=_REDIS_SECONDS, socket_connect_timeout=_REDIS_SECONDS, retry=Retry(NoBackoff(), 1)
    )


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
SIGN_INS_TOPIC = "sign-ins"  # changes when any has ended
