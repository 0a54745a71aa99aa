"""The socket of one client. It never waits longer than a Pace allows, and keeps bytes that are not read or sent yet.

The worker's event loop fills `received` before a thread has the request, and empties `unsent` after it. In between, the
thread reads and writes as with any socket.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from itertools import islice
from typing import Any

from app.runtime.web_server.transfer_pace import Pace

_ONE_READ = 64 * 1024
_SENT_TOGETHER = 64  # pieces; far below the kernel's limit for one call (IOV_MAX)
# Seconds within which a client on a good connection has made room for more. After that, its answer waits without a
# thread.
_ROOM_SECONDS = 0.1


class ClientSocket(socket.socket):
    """A connected socket that is always non-blocking for the kernel; recv() and sendall() do the waiting.

    `pace` is that of the request's body; recv() raises its TooSlow. While `holds_back`, sendall() only collects, so
    that the head of an answer and its first piece leave in one packet.
    """

    def __init__(self, accepted: socket.socket, pace: Pace) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        super().setblocking(False)
        self.pace = pace
        self.received = bytearray()
        self.unsent: deque[memoryview] = deque()
        self.holds_back = False

    def setblocking(self, flag: bool) -> None:
        """Does nothing: gunicorn calls it before each use, but the waiting is done here."""

    def settimeout(self, value: float | None) -> None:
        """Does nothing: the pace decides."""

    def receive(self) -> int:
        """Read the bytes that have arrived, for the event loop. Returns 0 at the end of the stream. Raises
        BlockingIOError if there are none."""
        data = super().recv(_ONE_READ)
        self.received += data
        return len(data)

    def unread(self, data: bytes) -> None:
        """Push back bytes of the next request."""
        self.received[:0] = data

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if self.received:
            data = bytes(memoryview(self.received)[:size])
            del self.received[:size]
            return data
        while True:
            if self.pace.failure:
                raise self.pace.failure
            try:
                data = super().recv(size, flags)
            except BlockingIOError:
                waited = self._wait(select.POLLIN, self.pace.left)
                self.pace.count(0, waited)
            else:
                self.pace.count(len(data), 0.0)
                return data

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send, waiting only shortly for room. The rest goes to `unsent`, for the event loop to send."""
        is_first = not self.unsent
        if data:
            self.unsent.append(memoryview(data))
        if is_first and not self.holds_back:
            self.push()

    def push(self) -> None:
        """Send the collected bytes, waiting only shortly for room."""
        until = time.monotonic() + _ROOM_SECONDS
        self.flush()
        while self.unsent and (left := until - time.monotonic()) > 0:
            self._wait(select.POLLOUT, left)
            self.flush()

    def send_soon(self, data: bytes) -> None:
        """Send without waiting at all, for the event loop."""
        self.unsent.append(memoryview(data))
        self.flush()

    def flush(self) -> int:
        """Send as much of `unsent` as there is room for, for the event loop and sendall(). Returns the number of
        bytes."""
        sent = 0
        while self.unsent:
            try:
                count = self.sendmsg(list(islice(self.unsent, _SENT_TOGETHER)))
            except BlockingIOError:
                break
            sent += count
            while count:
                piece = self.unsent.popleft()
                if count < len(piece):
                    self.unsent.appendleft(piece[count:])
                count -= min(count, len(piece))
        return sent

    @property
    def held_bytes(self) -> int:
        """The memory it uses while no thread has it."""
        return len(self.received) + sum(map(len, self.unsent))

    def _wait(self, event: int, seconds: float) -> float:
        """Wait for an event for at most `seconds`. Returns how long it took."""
        began = time.monotonic()
        poll = select.poll()
        poll.register(self, event)
        poll.poll(max(1, round(seconds * 1000)))
        return time.monotonic() - began
