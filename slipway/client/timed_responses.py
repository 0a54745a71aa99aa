"""HTTP responses that must be complete within a time, counted from their first byte.

The timeout of a socket is that of one read. A server that sends a byte now and then would hold a thread for as long as
it likes, and mostly where the caller sees nothing: in the head, before it (interim responses), or in a trailer.
"""

from __future__ import annotations

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any

from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class ResponseTooSlow(TimeoutError):
    """str() is the reason for people."""


def limit_responses(pool: PoolManager, seconds: float) -> None:
    """Give up each response of `pool` that takes longer than `seconds`, with a ReadTimeoutError whose cause is
    ResponseTooSlow."""

    class TimedResponse(HTTPResponse):
        def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
            super().__init__(sock, *arguments, **options)
            self.fp.close()
            self.fp = io.BufferedReader(_TimedReader(sock, seconds))

    class PlainConnection(HTTPConnection):
        response_class = TimedResponse

    class TlsConnection(HTTPSConnection):
        response_class = TimedResponse

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = TlsConnection

    pool.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}


class _TimedReader(io.RawIOBase):
    """A socket's bytes."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._raw = sock.makefile("rb", buffering=0)
        self._seconds = seconds
        self._ends_at: float | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int:
        if self._ends_at is not None and time.monotonic() > self._ends_at:
            raise ResponseTooSlow(f"its response took longer than {self._seconds:.0f} seconds")
        count = self._raw.readinto(view) or 0
        if self._ends_at is None:
            self._ends_at = time.monotonic() + self._seconds
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
