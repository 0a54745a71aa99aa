"""Ranges and complete objects from storage, of which the plan names the size. Reads respect the bandwidth limit."""

from __future__ import annotations

import re
from collections.abc import Callable
from threading import Event

from slipway.agent.cache.bandwidth import Bandwidth
from slipway.agent.cache.download import FetchFailed, UrlRejected
from slipway.agent.packs.pack_offer import StoredObject
from slipway.agent.storage_addresses import StorageAddresses
from slipway.client.printable import one_line
from slipway.client.storage_connections import StorageConnections, StorageResponse, StorageUnreachable
from slipway.closing_context import ClosingContext

# Compared as text, because a number may have any length.
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})")

Received = Callable[[int], None]


class ObjectRejected(Exception):
    """Storage has another object than the plan names, or none, or cannot send ranges. str() is the reason for people.
    Another attempt would end alike."""


class StorageClient:
    """Thread-safe. All methods raise FetchFailed, UrlRejected and ObjectRejected."""

    def __init__(self, connections: StorageConnections, addresses: StorageAddresses, bandwidth: Bandwidth) -> None:
        self._connections = connections
        self._addresses = addresses
        self._bandwidth = bandwidth

    def open_range(
        self, stored: StoredObject, start: int, length: int, cancelled: Event, received: Received
    ) -> OpenRange:
        """One request for `length` bytes from `start`. `received(count)` is called for every piece and may raise."""
        self._addresses.check(stored.url)
        end = start + length - 1
        try:
            response = self._connections.get(stored.url, start, end)
        except StorageUnreachable as error:
            raise FetchFailed(f"storage: {error}") from error
        try:
            _check_response(response, start, end, stored.size)
        except BaseException:
            response.close()
            raise
        return OpenRange(response, length, self._bandwidth, cancelled, received)

    def read(self, stored: StoredObject, maximum: int, cancelled: Event, received: Received) -> bytes:
        """The complete object, of at most `maximum` bytes."""
        if not 0 < stored.size <= maximum:
            raise ObjectRejected(f"the plan names an object of {stored.size} bytes, 1 to {maximum} are allowed")
        content = memoryview(bytearray(stored.size))
        with self.open_range(stored, 0, stored.size, cancelled, received) as opened:
            filled = 0
            while filled < stored.size:
                filled += opened.readinto(content[filled:])
        return bytes(content)


class OpenRange(ClosingContext):
    """The bytes of one range, in order (a RangeReader of `slipway.packs`). For one thread."""

    def __init__(
        self,
        response: StorageResponse,
        length: int,
        bandwidth: Bandwidth,
        cancelled: Event,
        received: Received,
    ) -> None:
        self._response = response
        self._left = length
        self._bandwidth = bandwidth
        self._cancelled = cancelled
        self._received = received

    def readinto(self, view: memoryview) -> int:
        """Fill the beginning of `view` with the next bytes; 0 at the end of the range. Raises FetchFailed."""
        wanted = min(self._left, len(view))
        if not wanted:
            return 0
        try:
            count = self._response.readinto(view[: self._bandwidth.piece_bytes(wanted)])
        except StorageUnreachable as error:
            raise FetchFailed(f"storage: {error}") from error
        if not count:
            raise FetchFailed(f"storage: the connection broke, {self._left} bytes before the end of a range")
        self._left -= count
        self._received(count)
        self._bandwidth.wait(count, self._cancelled)
        return count

    def close(self) -> None:
        self._response.close()


def _check_response(response: StorageResponse, start: int, end: int, size: int) -> None:
    """Accept only the requested range of an object of `size` bytes. Storage may ignore Range."""
    status = response.status
    if status == 403:
        raise UrlRejected("storage rejected the address of the pack (403)")
    if status == 404:
        raise ObjectRejected("storage has no such pack (404)")
    if status in {200, 416}:
        what = "ignored the requested range" if status == 200 else "has fewer bytes than the plan names"
        raise ObjectRejected(f"storage {what} ({status})")
    if 300 <= status < 400:
        raise FetchFailed(f"storage answered {status} (a redirect), and the agent follows no redirects")
    if status != 206:
        raise FetchFailed(f"storage answered {status}")
    match = _CONTENT_RANGE.fullmatch(response.header("Content-Range") or "")
    if not match or (match[1], match[2]) != (str(start), str(end)):
        raise FetchFailed("storage sent a different range from the one requested")
    if match[3] != str(size):
        raise ObjectRejected(f"storage has {one_line(match[3], 40)} bytes, the plan names {size}")
