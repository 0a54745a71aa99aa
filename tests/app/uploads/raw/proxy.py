"""A TCP proxy in front of real storage that can lose connections: real faults, at the moment a test chooses."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

Lost = Literal["request", "body", "answer"]


@dataclass
class _Fault:
    matches: Callable[[bytes], bool]
    lost: Lost
    times: int


class FaultyNetwork:
    """Listens on loopback and forwards to `endpoint`. Each connection is read for HTTP request heads, so that a fault
    can name the request it strikes: the whole of it, its body after the first bytes, or only its answer."""

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.down = False
        self.struck = 0
        self._fault: _Fault | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def lose(self, lost: Lost, method: str, *words: str, times: int = 1) -> None:
        """Break the next requests of this method whose address contains all words."""

        def matches(line: bytes) -> bool:
            return line.startswith(method.encode()) and all(word.encode() in line for word in words)

        self._fault = _Fault(matches, lost, times)

    def go_down(self) -> None:
        """Drop every connection and take no more."""
        self.down = True
        with self._lock:
            for each in list(self._open):
                _reset(each)

    def come_back(self) -> None:
        self.down = False
        self._fault = None

    def close(self) -> None:
        self.go_down()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.down:
                _reset(client)
                continue
            threading.Thread(target=self._serve, args=(client,), name="proxy-connection", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target)
        except OSError:
            _reset(client)
            return
        with self._lock:
            self._open |= {client, server}
            if self.down:  # taken just before, and not seen by go_down
                for each in (client, server):
                    _reset(each)
        with contextlib.suppress(OSError):
            self._forward(client, server)
        for each in (client, server):
            _reset(each)
        with self._lock:
            self._open -= {client, server}

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        strike: Lost | None = None
        with selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ)
            ready.register(server, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    source: socket.socket = key.fileobj  # type: ignore[assignment]  # what was registered
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is server:
                        if strike == "answer":
                            self.struck += 1
                            return
                        client.sendall(data)
                        continue
                    # A client of HTTP/1.1 sends its next request only after the answer: a head begins a piece.
                    strike = strike or self._strikes(data.split(b"\r\n", 1)[0])
                    if strike == "request":
                        self.struck += 1
                        return
                    server.sendall(data)
                    if strike == "body" and b" HTTP/1.1\r\n" not in data:
                        self.struck += 1
                        return

    def _strikes(self, line: bytes) -> Lost | None:
        with self._lock:
            fault = self._fault
            if fault is None or fault.times == 0 or not fault.matches(line):
                return None
            fault.times -= 1
            return fault.lost


def _reset(which: socket.socket) -> None:
    """Close at once, as a network that fails does."""
    with contextlib.suppress(OSError):
        which.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        which.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        which.close()
