"""Who reads a live stream: it ends within seconds of their closing the page, signing out or being removed.

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
from dataclasses import dataclass

from flask import Flask, current_app, request
from sqlalchemy.exc import SQLAlchemyError

from app.partners.accounts import living_sessions
from app.web.live import LOOK_SECONDS
from app.web.people import me

log = logging.getLogger(__name__)


class Door:
    """Which of the streams' sessions have not been ended: one query for all of them every LOOK_SECONDS, however many
    streams there are. One a process; safe from any thread."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._asked: set[str] = set()  # since the last look
        self._ended: set[str] = set()  # as of the last look
        self._looks_at = 0.0

    def admits(self, session: str) -> bool:
        """Whether the session was valid at the last look. One that was never looked at has just been let in."""
        if session in self._asked and time.monotonic() < self._looks_at:
            return session not in self._ended  # without the lock, for which a thousand streams would stand in line
        with self._lock:
            self._asked.add(session)
            if time.monotonic() >= self._looks_at:
                self._look()
                self._looks_at = time.monotonic() + LOOK_SECONDS
            return session not in self._ended

    def _look(self) -> None:
        try:
            with self._app.app_context():
                self._ended = self._asked - living_sessions(self._asked)
        except SQLAlchemyError:
            log.warning("live streams: the database did not say who is signed in; asking again in %s s", LOOK_SECONDS)
            return
        self._asked = set()


@dataclass
class Reader:
    """The browser at the other end of a stream. `client` is None where the server does not give its socket away."""

    door: Door
    session: str
    client: socket.socket | None
    looks_at: float = 0.0

    def stays(self) -> bool:
        """Whether the page is still open, as far as this machine knew LOOK_SECONDS ago, and its reader signed in."""
        if time.monotonic() >= self.looks_at:
            if self._left():
                return False
            self.looks_at = time.monotonic() + LOOK_SECONDS
        return self.door.admits(self.session)

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
    """Of the present request, which must be signed in."""
    environ = request.environ
    client = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if isinstance(client, ssl.SSLSocket):  # cannot be peeked at: its end is noticed at the next write
        client = None
    return Reader(current_app.extensions["slipway_door"], me().get_id(), client)


def init_app(app: Flask) -> None:
    """One door for the app."""
    app.extensions["slipway_door"] = Door(app)
