"""Crowds of clients that behave badly: many sockets that begin something, and go on with it slowly or never."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType


class Crowd:
    """`count` connections that each send `opening`, and then a byte of `rest` every `seconds` (never when it is empty).

    One that the server closes is opened anew, as an attacker would. `answered`: they have the beginning of an answer
    before they are a crowd, so that only their slowness counts and not the work of answering. `small_window`: they
    take next to nothing of the rest, which stays with the server.
    """

    def __init__(
        self,
        port: int,
        count: int,
        opening: bytes,
        *,
        rest: bytes = b"",
        seconds: float = 1.0,
        answered: bool = False,
        small_window: bool = False,
    ) -> None:
        self._port = port
        self._opening = opening
        self._rest = rest
        self._seconds = seconds
        self._small_window = small_window
        self._ended = threading.Event()
        self.members = [self._open() for _ in range(count)]
        for member in self.members if answered else ():
            assert member.recv(12).startswith(b"HTTP/1.1 ")
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> Crowd:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        for member in self.members:
            member.close()

    def _open(self) -> socket.socket:
        member = socket.socket()
        if self._small_window:
            member.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        member.settimeout(60)
        member.connect(("127.0.0.1", self._port))
        member.sendall(self._opening)
        return member

    def _go_on(self) -> None:
        position = 0
        while not self._ended.wait(self._seconds):
            if not self._rest:
                continue
            byte = self._rest[position % len(self._rest) :][:1]
            position += 1
            for number, member in enumerate(self.members):
                if self._ended.is_set():
                    return
                try:
                    member.sendall(byte)
                except OSError:
                    member.close()
                    with contextlib.suppress(OSError):
                        self.members[number] = self._open()
