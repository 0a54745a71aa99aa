"""A server whose response never ends, and comes one byte at a time."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Event, Thread


class DrippingServer:
    """Sends `start` at once, and then one byte of `drops` every 20 milliseconds, without end."""

    def __init__(self, start: bytes, drops: bytes) -> None:
        self._start, self._drops = start, drops
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._stopped = Event()
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/pack?X-Amz-Signature=secret"

    def __enter__(self) -> DrippingServer:
        Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stopped.set()
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            connection, _ = self._listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(self._start)
                sent = 0
                while not self._stopped.wait(0.02):
                    connection.sendall(self._drops[sent % len(self._drops) :][:1])
                    sent += 1
