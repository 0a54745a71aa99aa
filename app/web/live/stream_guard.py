"""Ends live streams: at once when their reader signs out, is removed or gets another role, and within seconds when the
page is closed.

A stream is requested once and runs for minutes. Without these checks it would keep sending what a removed member may no
longer see, its page would keep the buttons of an old role, and it would hold its thread until the next write to a
closed page.
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from flask import Flask, current_app, request

from app.accounts.sign_ins import roles_of_active
from app.data.database import DatabaseError
from app.data.outages import outage_in
from app.topics.event_hub import hub
from app.topics.names import SIGN_INS_TOPIC
from app.web.frame.current_user import current_sign_in, me
from app.web.live.live_parts import CHECK_SECONDS

log = logging.getLogger(__name__)


class Visit(NamedTuple):
    """A sign-in, and the role that its member had when the stream began."""

    sign_in_id: str
    role: str

    @property
    def name(self) -> str:
        """By which the hub wakes the streams of this visit."""
        return f"{self.sign_in_id} {self.role}"


class SignInWatch:
    """Watches the sign-ins of all streams. One query checks all of them: when any sign-in ends or any role changes, and
    every CHECK_SECONDS for those that expire. One per process; thread-safe."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._streams: Counter[Visit] = Counter()
        self._ended: set[Visit] = set()  # as of the last check
        self._next_check = 0.0

    def add_stream(self, visit: Visit) -> None:
        """Count a new stream of an active sign-in."""
        with self._lock:
            self._streams[visit] += 1

    def remove_stream(self, visit: Visit) -> None:
        """Count a stream that has ended."""
        with self._lock:
            self._streams[visit] -= 1
            if self._streams[visit] <= 0:
                del self._streams[visit]

    def is_active(self, visit: Visit) -> bool:
        """Whether the sign-in was active at the last check, and its member had the same role."""
        if time.monotonic() >= self._next_check:  # without the lock, on which a thousand streams would queue
            self._check(only_when_due=True)
        return visit not in self._ended

    def check(self) -> None:
        """Find the visits that have ended, and wake their streams so that they end. Called when any sign-in ends or any
        role changes."""
        self._check()
        hub.wake({visit.name for visit in self._ended})

    def _check(self, *, only_when_due: bool = False) -> None:
        with self._lock:
            if only_when_due and time.monotonic() < self._next_check:
                return  # another stream has just checked
            watched = set(self._streams)
            try:
                if watched:
                    with self._app.app_context():
                        roles = roles_of_active(visit.sign_in_id for visit in watched)
                    self._ended = {visit for visit in watched if roles.get(visit.sign_in_id) != visit.role}
            except DatabaseError as error:
                if outage_in(error) is None:
                    log.warning("live streams: cannot read the sign-ins from the database; trying again soon")
            self._next_check = time.monotonic() + CHECK_SECONDS


@dataclass
class StreamReader:
    """The browser that reads a stream. `client` is None if the web server does not expose its socket."""

    watch: SignInWatch
    visit: Visit
    client: socket.socket | None
    next_check: float = 0.0

    def __post_init__(self) -> None:
        self.watch.add_stream(self.visit)

    def leave(self) -> None:
        """The stream has ended."""
        self.watch.remove_stream(self.visit)

    def stays(self) -> bool:
        """Whether the page is still open, checked every CHECK_SECONDS, and its reader signed in, in the same role."""
        if time.monotonic() >= self.next_check:
            if self._has_closed():
                return False
            self.next_check = time.monotonic() + CHECK_SECONDS
        return self.watch.is_active(self.visit)

    def _has_closed(self) -> bool:
        # A browser sends nothing more on this connection, so the only thing to read is its end.
        if self.client is None:
            return False
        try:
            waiting = select.poll()  # not select(), which fails above 1,024 open files
            waiting.register(self.client, select.POLLIN)
            return bool(waiting.poll(0)) and self.client.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):  # closed in the meantime
            return True


def stream_reader() -> StreamReader:
    """The reader of this request, which must be signed in. The caller calls its `leave` when the stream ends."""
    environ = request.environ
    client = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if isinstance(client, ssl.SSLSocket):  # cannot be peeked at: the next write finds that it has closed
        client = None
    watch: SignInWatch = current_app.extensions["slipway_sign_in_watch"]
    return StreamReader(watch, Visit(current_sign_in().id, me().role), client)


def init_app(app: Flask) -> None:
    """Create the watch, and check whenever a sign-in ends or a role changes."""
    watch = app.extensions["slipway_sign_in_watch"] = SignInWatch(app)
    hub.listen(SIGN_INS_TOPIC, watch.check)
