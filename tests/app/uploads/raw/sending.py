"""HTTP by hand, for clients that do it wrong: that stop, stall, lie about lengths, or send broken chunks."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    json: Any

    @property
    def code(self) -> str:
        """The envelope's `error`."""
        found: str = self.json["error"]
        return found


class RawUpload:
    """One PUT of an archive whose every byte is the test's to send."""

    def __init__(self, port: int, key: str, slug: str, **headers: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        lines = {
            "Host": f"127.0.0.1:{port}",
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/gzip",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        head = f"PUT /api/partners/games/{slug}/upload HTTP/1.1\r\n"
        self.send((head + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n").encode())

    def __enter__(self) -> RawUpload:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> RawUpload:
        self.socket.sendall(data)
        return self

    def send_chunk(self, data: bytes) -> RawUpload:
        return self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end_of_chunks(self) -> RawUpload:
        return self.send(b"0\r\n\r\n")

    def say_no_more(self) -> RawUpload:
        """Close our direction only: the answer can still be read."""
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def hang_up(self) -> None:
        """Drop the connection hard, as a network that fails does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def answer(self) -> Answer:
        """Read the answer to its end."""
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        body = response.read()
        return Answer(response.status, response.headers, json.loads(body) if body else None)


def upload(port: int, key: str, slug: str, archive: bytes, **headers: str) -> Answer:
    """A whole and honest upload."""
    with RawUpload(port, key, slug, Content_Length=str(len(archive)), **headers) as sending:
        return sending.send(archive).answer()
