"""A server that answers every request with the same bytes, whatever they are, and hangs up."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from threading import Thread


class RawServer:
    def __init__(self) -> None:
        self.answer = b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> RawServer:
        Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:  # closed
                return
            with connection, suppress(OSError):
                if _read_request(connection):
                    connection.sendall(self.answer)
                    connection.shutdown(socket.SHUT_WR)


def _read_request(connection: socket.socket) -> bool:
    """Read it to its end: what is left unread at close would cut the answer off. False when none came."""
    connection.settimeout(30)
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return False
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    left = int(length[1]) - len(body) if length else 0
    while left > 0:
        piece = connection.recv(65536)
        if not piece:
            return False
        left -= len(piece)
    return True
