"""The line between a client and storage: a TCP proxy that counts, holds and cuts."""

from __future__ import annotations

import contextlib
import socket
import threading
from urllib.parse import urlsplit


class StorageLine:
    """Forwards to `endpoint`. `sent` counts the bytes that came from clients since `reset()`."""

    def __init__(self, endpoint: str) -> None:
        target = urlsplit(endpoint)
        self._target = (target.hostname, target.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._lock = threading.Lock()
        self._open, self._answers_open = threading.Event(), threading.Event()
        self._connections: set[socket.socket] = set()
        self._age = 0
        self.reset()
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self) -> None:
        """Break every connection there is, forward everything that comes on new ones, count from nought. What a client
        that was killed had sent before is still in the kernel's hands, and is not of those that count."""
        with self._lock:
            self._age += 1
            self.sent = 0
            self._hold_after: int | None = None
            self._cut_after: int | None = None
            self._cuts_left = 0
            self._answered = 0
            self._hold_answers_after: int | None = None
            self._cut_answers_after: int | None = None
            self.heads: list[bytes] | None = None
        self._open.set()
        self._answers_open.set()

    def release(self) -> None:
        """Let what is held go on."""
        with self._lock:
            self._hold_after = None
        self._open.set()

    def hold_after(self, count: int) -> None:
        """Let that many bytes through, then stall until `release()` or `reset()`."""
        with self._lock:
            self._hold_after = count

    def cut_after(self, count: int, times: int) -> None:
        """Break the connection that carries the `count`-th byte, and again after as many more."""
        with self._lock:
            self._cut_after, self._cuts_left = self.sent + count, times
            self._cut_every = count

    def hold_answers_after(self, count: int) -> None:
        """Let that many bytes of answers through, then stall until `reset()`."""
        with self._lock:
            self._hold_answers_after = count

    def cut_answers_after(self, count: int, times: int) -> None:
        """Break the connection that carries the `count`-th byte of answers, and again after as many more."""
        with self._lock:
            self._cut_answers_after, self._cuts_left = self._answered + count, times
            self._cut_every = count

    def keep_heads(self) -> None:
        """Keep what clients send, piece by piece, in `heads`."""
        with self._lock:
            self.heads = []

    @property
    def holding(self) -> bool:
        return not self._open.is_set()

    @property
    def cuts_left(self) -> int:
        return self._cuts_left

    def close(self) -> None:
        self._listening.close()
        self._open.set()
        self._answers_open.set()
        for connection in list(self._connections):
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._connections |= {client, server}
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self._copy, args=(server, client), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        age = self._age
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                if self._is_cut(data, age):
                    break
                self._open.wait()
                if self._age != age:
                    break
                server.sendall(data)
        self._hang_up(client, server)

    def _is_cut(self, data: bytes, age: int) -> bool:
        with self._lock:
            if self._age != age:
                return True
            self.sent += len(data)
            if self.heads is not None:
                self.heads.append(data)
            if self._hold_after is not None and self.sent >= self._hold_after:
                self._open.clear()
            if self._cuts_left and self._cut_after is not None and self.sent >= self._cut_after:
                self._cuts_left -= 1
                self._cut_after = self.sent + self._cut_every
                return True
        return False

    def _copy(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if self._is_answer_cut(len(data)):
                    break
                self._answers_open.wait()
                client.sendall(data)
        self._hang_up(client, server)

    def _is_answer_cut(self, count: int) -> bool:
        with self._lock:
            self._answered += count
            if self._hold_answers_after is not None and self._answered >= self._hold_answers_after:
                self._answers_open.clear()
            if self._cuts_left and self._cut_answers_after is not None and self._answered >= self._cut_answers_after:
                self._cuts_left -= 1
                self._cut_answers_after = self._answered + self._cut_every
                return True
        return False

    def _hang_up(self, *both: socket.socket) -> None:
        for one in both:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
            self._connections.discard(one)
