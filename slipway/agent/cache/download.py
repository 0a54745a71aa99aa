"""Downloading an archive from storage. A download continues where the last attempt ended."""

from __future__ import annotations

import re
from collections.abc import Callable

from slipway.agent.cache.part_file import PartFile
from slipway.agent.crash_points import crash_point
from slipway.client.printable import one_line
from slipway.client.sizes import format_part
from slipway.client.storage_connections import StorageConnections, StorageResponse, StorageUnreachable

PIECE_BYTES = 1 << 20
# Compared as text, because a number may have any length.
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-[0-9]{1,19}/([0-9]{1,19})")


class FetchFailed(Exception):
    """This attempt failed; str() is the reason for people."""


class UrlRejected(FetchFailed):
    """403: the presigned address has expired. The plan has a new one."""


def download(
    connections: StorageConnections,
    url: str,
    size: int,
    part: PartFile,
    wrote: Callable[[int], None],
    piece_bytes: int = PIECE_BYTES,
) -> None:
    """Append to `part` until it has `size` bytes. `wrote(count)` is called after every piece, of at most `piece_bytes`,
    and may raise.

    Raises FetchFailed. The bytes received so far stay in `part`, unless they cannot be the beginning of the archive.
    """
    if part.length == size:
        return
    try:
        response = connections.get(url, part.length, size - 1)
    except StorageUnreachable as error:
        raise FetchFailed(f"storage: {error}") from error
    buffer = memoryview(bytearray(min(piece_bytes, size)))
    try:
        _check_response(response, part, size)
        while part.length < size:
            # The bytes that have arrived: progress shows on slow lines, and a broken connection loses nothing.
            count = response.readinto(buffer[: size - part.length])
            if not count:
                break
            part.append(buffer[:count])
            wrote(count)
            if part.length >= size // 2:
                crash_point("mid-download")
    except StorageUnreachable as error:
        raise FetchFailed(f"storage: {error} at {_position(part, size)}") from error
    finally:
        response.close()
    if part.length < size:
        raise FetchFailed(f"storage: the connection broke at {_position(part, size)}")


def _check_response(response: StorageResponse, part: PartFile, size: int) -> None:
    """Check that the body continues `part`. Storage may ignore Range, and always ignores If-Range (SERVING.md)."""
    if response.status == 403:
        raise UrlRejected("storage rejected the address of the archive (403)")
    if response.status == 404:
        raise FetchFailed("storage has no such archive (404)")
    if response.status == 416:
        part.restart()
        raise FetchFailed(f"storage has fewer bytes than the plan's {size} (416)")
    if response.status == 200:
        # The response is the complete object, so the download starts again at its first byte.
        part.restart()
        _check_size(response.header("Content-Length"), part, size)
    elif response.status == 206:
        match = _CONTENT_RANGE.fullmatch(response.header("Content-Range") or "")
        if not match or match[1] != str(part.length):
            raise FetchFailed("storage sent a different range from the one requested")
        _check_size(match[2], part, size)
    elif 300 <= response.status < 400:
        raise FetchFailed(f"storage answered {response.status} (a redirect), and the agent follows no redirects")
    else:
        raise FetchFailed(f"storage answered {response.status}")


def _check_size(announced: str | None, part: PartFile, size: int) -> None:
    if announced is not None and announced != str(size):
        part.restart()
        raise FetchFailed(f"wrong size: storage has {one_line(announced, 40)} bytes, the plan has {size}")


def _position(part: PartFile, size: int) -> str:
    return format_part(part.length, size)
