"""Answers whose connection is held without a thread, while another part of the app writes to it.

A WSGI app that streams for minutes calls `environ["slipway.hold_stream"]` and yields an empty piece. The thread is then
free, and the app has the connection until it resumes it: the iteration continues in a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from app.runtime.web_server.client_socket import ClientSocket


class HeldStream:
    """The connection of one held answer. Only one thread may use it at a time, and not after `resume`."""

    def __init__(self, sock: ClientSocket, response: Any, continue_answer: Callable[[], None]) -> None:
        self._sock = sock
        self._response = response  # gunicorn's
        self._continue_answer = continue_answer

    def send(self, data: bytes) -> bool:
        """Send the next piece of the answer without waiting. Returns whether the client accepted everything. If not,
        the event loop sends the rest after `resume`, or finds that the connection is broken."""
        self._response.sent += len(data)
        with suppress(OSError):  # the bytes stay in `unsent`
            self._sock.send_soon(b"%X\r\n%b\r\n" % (len(data), data) if self._response.chunked else data)
        return not self._sock.unsent

    def resume(self) -> None:
        """Return the connection: the rest is sent, and then the answer's iteration continues."""
        self._continue_answer()


class StreamHold:
    """The request of one answer to be held, made while it was iterated over."""

    def __init__(self) -> None:
        self._start: Callable[[HeldStream], None] | None = None

    def __call__(self, start: Callable[[HeldStream], None]) -> None:
        """Hold the answer after the piece that it yields next. `start` is then called with its connection."""
        self._start = start

    @property
    def is_requested(self) -> bool:
        return self._start is not None

    def begin(self, stream: HeldStream) -> None:
        """Give the connection to the app."""
        start, self._start = self._start, None
        assert start is not None
        start(stream)
