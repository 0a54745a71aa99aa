"""The web server's worker: gunicorn's threads, and connections that are closed so that the last answer arrives.

An upload that is refused while it is being sent leaves bytes nobody will read. A socket closed over them sends a reset,
which destroys the answer on its way (RFC 9112, 9.6). gunicorn reads on for 64 KiB, less than a network holds, and does
it in the thread that accepts connections: a client that keeps its end open would stop everyone else for two seconds.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

_LONGEST = 5.0  # seconds a client has to notice the answer and stop sending
_SILENCE = 2.0  # seconds without a byte, or without the client's own end


class LingeringWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn carries no types
    """Ends each connection in the thread that served it. gunicorn then finds nothing left to wait for and closes it."""

    def handle(self, conn: Any) -> Any:
        goes_on = super().handle(conn)
        if goes_on is False:
            end_slowly(conn.sock, _LONGEST if self.alive else _SILENCE)
        return goes_on


def end_slowly(sock: socket.socket, longest: float) -> None:
    """Say that nothing more comes, and read what is still on its way for `longest` seconds at most."""
    deadline = time.monotonic() + longest
    rest = bytearray(256 * 1024)
    # The other end may be gone at any point, and then there is nothing left to be careful about.
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(min(left, _SILENCE))
            if not sock.recv_into(rest):
                return
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RD)
