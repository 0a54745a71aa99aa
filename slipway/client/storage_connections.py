"""Connections to storage. Bytes go straight into the caller's buffer.

A connection that sends almost nothing is given up. Otherwise storage that sends a byte now and then would hold a thread
for ever, because every single wait is short.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from threading import Lock
from typing import Any

from urllib3.util import Url, parse_url, wait_for_read

from slipway.client.transport import describe_network_error, make_tls_context
from slipway.closing_context import ClosingContext

MIN_BYTES_PER_SECOND = 1 << 10
WINDOW_SECONDS = 60.0
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 30.0
_MAX_HEAD_BYTES = 1 << 20
_MAX_IDLE = 16


Origin = tuple[str, str, int | None]


class StorageUnreachable(Exception):
    """str() is the reason for people, without the address."""


class StorageConnections:
    """Connections that stay open for further requests. Thread-safe. It follows no redirects and uses no proxy."""

    def __init__(self, ca_file: Path | None = None, window_seconds: float = WINDOW_SECONDS) -> None:
        """Storage must send MIN_BYTES_PER_SECOND in every `window_seconds` that this side waits for it."""
        self._ca_file = ca_file
        self._window_seconds = window_seconds
        self._context: ssl.SSLContext | None = None
        self._idle: dict[Origin, list[HTTPConnection]] = {}
        self._lock = Lock()

    def get(self, url: str, first: int, last: int) -> StorageResponse:
        """Request the bytes from `first` to `last` of an object. Raises StorageUnreachable."""
        parsed = parse_url(url)  # as StorageAddresses does
        connection = self._connected(parsed)
        headers = {"Range": f"bytes={first}-{last}", "Accept-Encoding": "identity"}
        try:
            connection.request("GET", parsed.request_uri, headers=headers)
            response = connection.getresponse()
        except (OSError, HTTPException, StorageUnreachable) as error:
            connection.close()
            if isinstance(error, StorageUnreachable):
                raise
            raise StorageUnreachable(describe_network_error(error)) from error
        return StorageResponse(self, _key(parsed), connection, response)

    def keep(self, key: Origin, connection: HTTPConnection) -> None:
        """Keep a connection whose last response was read to its end."""
        with self._lock:
            idle = self._idle.setdefault(key, [])
            if len(idle) < _MAX_IDLE:
                idle.append(connection)
                return
        connection.close()

    def _connected(self, url: Url) -> HTTPConnection:
        while connection := self._take_idle(url):
            if connection.sock is not None and not wait_for_read(connection.sock, timeout=0.0):
                return connection
            connection.close()  # storage has hung up, or sent more than was requested
        connection = self._new(url)
        try:
            connection.connect()
        except TimeoutError as error:
            raise StorageUnreachable("no connection in time") from error
        except OSError as error:
            raise StorageUnreachable(describe_network_error(error)) from error
        connection.sock.settimeout(_READ_SECONDS)
        return connection

    def _take_idle(self, url: Url) -> HTTPConnection | None:
        with self._lock:
            idle = self._idle.get(_key(url))
            return idle.pop() if idle else None

    def _new(self, url: Url) -> HTTPConnection:
        host = str(url.host)
        connection: HTTPConnection
        if url.scheme == "https":
            with self._lock:
                self._context = self._context or make_tls_context(self._ca_file)
            connection = HTTPSConnection(host, url.port, timeout=_CONNECT_SECONDS, context=self._context)
        else:
            connection = HTTPConnection(host, url.port, timeout=_CONNECT_SECONDS)
        setattr(connection, "response_class", partial(_WatchedResponse, window_seconds=self._window_seconds))  # noqa: B010
        return connection


class StorageResponse(ClosingContext):
    """The body of a response, for one thread."""

    def __init__(
        self, connections: StorageConnections, key: Origin, connection: HTTPConnection, response: HTTPResponse
    ) -> None:
        self._connections = connections
        self._key = key
        self._connection = connection
        self._response = response
        self._left = None if response.chunked else response.length
        self.status = response.status

    def header(self, name: str) -> str | None:
        return self._response.headers.get(name)

    def readinto(self, view: memoryview) -> int:
        """Fill the beginning of `view` with the bytes that have arrived; 0 at the end of the body, and also where the
        connection ends early. Raises StorageUnreachable."""
        try:
            if self._left is None:
                return self._read_unknown_length(view)
            count = self._response.fp.readinto1(view[: self._left])
            self._left -= count
            return count
        except (OSError, HTTPException) as error:
            raise StorageUnreachable(describe_network_error(error)) from error

    def _read_unknown_length(self, view: memoryview) -> int:
        piece = self._response.read1(len(view))
        if len(piece) > len(view):  # a chunk of negative length makes the HTTP client read on
            raise StorageUnreachable("it sent a body that breaks the rules of HTTP")
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """A connection whose body was read to its end is kept for another request."""
        reusable = self._left == 0 and not self._response.will_close
        self._response.close()
        if reusable:
            self._connections.keep(self._key, self._connection)
        else:
            self._connection.close()


class _WatchedResponse(HTTPResponse):
    """Reads head and body through a _WatchedReader."""

    def __init__(self, sock: socket.socket, *arguments: Any, window_seconds: float, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self._reader = _WatchedReader(sock, window_seconds)
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        super().begin()
        self._reader.head_is_read()

    def _read_and_discard_trailer(self) -> None:
        """The trailer of a chunked body may have no end. It stays unread: such a connection is not used again."""


class _WatchedReader(io.RawIOBase):
    """A socket's bytes. Raises StorageUnreachable if fewer than MIN_BYTES_PER_SECOND came in a window of waiting, or if
    the head of the response has no end."""

    def __init__(self, sock: socket.socket, window_seconds: float) -> None:
        self._raw = sock.makefile("rb", buffering=0)
        self._window_seconds = window_seconds
        self._head_bytes: int | None = 0
        self._bytes, self._waited = 0, 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int:
        began = time.monotonic()
        count = self._raw.readinto(view) or 0
        self._check(count, time.monotonic() - began)
        return count

    def head_is_read(self) -> None:
        self._head_bytes = None

    def close(self) -> None:
        self._raw.close()
        super().close()

    def _check(self, count: int, waited: float) -> None:
        # Only the time in which this side waits counts: with a bandwidth limit it mostly does something else.
        self._bytes, self._waited = self._bytes + count, self._waited + waited
        if self._waited >= self._window_seconds:
            if self._bytes < MIN_BYTES_PER_SECOND * self._waited:
                raise StorageUnreachable(f"it sent only {self._bytes} bytes in {self._waited:.0f} seconds")
            self._bytes, self._waited = 0, 0.0
        if self._head_bytes is not None:
            self._head_bytes += count
            if self._head_bytes > _MAX_HEAD_BYTES:
                raise StorageUnreachable("the head of its response has no end")


def _key(url: Url) -> Origin:
    return str(url.scheme), str(url.host), url.port
