"""Who reads a live stream: it ends at once when they sign out or are removed, and within seconds of their closing the
page.

A stream is asked for once and answered for minutes. Without these looks it would go on telling what a removed member
may no longer see, and hold its thread until the next write to a page that is gone.
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

from flask import Flask, current_app, request

from app.accounts.sign_ins import active_sign_ins
from app.data.database import DatabaseError
from app.topics.event_hub import hub
from app.topics.names import SIGN_INS_TOPIC
from app.web.frame.current_user import current_sign_in
from app.web.live.live_parts import LOOK_SECONDS

log = logging.getLogger(__name__)


class Door:
    """Which of the streams' sign-ins have ended: one query for all of them when any has, and every LOOK_SECONDS for
    those that end by time, however many streams there are. One per process; safe from any thread."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()  # streams per sign-in
        self._ended: set[str] = set()  # as of the last look
        self._looks_at = 0.0

    def enter(self, sign_in_id: str) -> None:
        """One more stream of a sign-in, which has just been found living."""
        with self._lock:
            self._open[sign_in_id] += 1

    def leave(self, sign_in_id: str) -> None:
        """One less."""
        with self._lock:
            self._open[sign_in_id] -= 1
            if self._open[sign_in_id] <= 0:
                del self._open[sign_in_id]

    def admits(self, sign_in_id: str) -> bool:
        """Whether the sign-in was living at the last look."""
        if time.monotonic() >= self._looks_at:  # without the lock, for which a thousand streams would stand in line
            self._look(only_when_due=True)
        return sign_in_id not in self._ended

    def look(self) -> None:
        """A sign-in ended somewhere: look whose, and let their streams go on to their end."""
        self._look()
        hub.wake(self._ended)

    def _look(self, *, only_when_due: bool = False) -> None:
        with self._lock:
            if only_when_due and time.monotonic() < self._looks_at:
                return  # another stream did, a moment ago
            here = set(self._open)
            try:
                if here:
                    with self._app.app_context():
                        self._ended = here - active_sign_ins(here)
            except DatabaseError:
                log.warning("live streams: the database did not answer who is signed in; asking again soon")
            self._looks_at = time.monotonic() + LOOK_SECONDS


@dataclass
class Reader:
    """The browser at the other end of a stream. `client` is None where the server does not give its socket away."""

    door: Door
    sign_in_id: str
    client: socket.socket | None
    looks_at: float = 0.0

    def __post_init__(self) -> None:
        self.door.enter(self.sign_in_id)

    def leave(self) -> None:
        """The stream has ended."""
        self.door.leave(self.sign_in_id)

    def stays(self) -> bool:
        """Whether the page is still open, as far as this machine knew LOOK_SECONDS ago, and its reader signed in."""
        if time.monotonic() >= self.looks_at:
            if self._left():
                return False
            self.looks_at = time.monotonic() + LOOK_SECONDS
        return self.door.admits(self.sign_in_id)

    def _left(self) -> bool:
        # A browser sends nothing more on this connection, so all there can be to read is its end.
        if self.client is None:
            return False
        try:
            waiting = select.poll()  # not select(): there are more than 1,024 files
            waiting.register(self.client, select.POLLIN)
            return bool(waiting.poll(0)) and self.client.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):  # closed meanwhile
            return True


def reader() -> Reader:
    """Of the present request, which must be signed in. Whoever makes one calls its `leave` at the end."""
    environ = request.environ
    client = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if isinstance(client, ssl.SSLSocket):  # cannot be peeked at: its end is noticed at the next write
        client = None
    return Reader(current_app.extensions["slipway_door"], current_sign_in().id, client)


def init_app(app: Flask) -> None:
    """One door for the app."""
    door = app.extensions["slipway_door"] = Door(app)
    hub.listen(SIGN_INS_TOPIC, door.look)
