"""Single objects, read and written through presigned URLs in constant memory."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import IO

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from app.config.settings import settings
from app.storage.availability import storage_status
from app.storage.bucket import ObjectGone, StorageError, bucket, is_range
from app.storage.url_signing import presign

log = logging.getLogger(__name__)

PIECE = 64 * 1024
_SIGNED_FOR = timedelta(minutes=15)


class ObjectMissing(StorageError):
    """There is no object with this key."""

    kind = "missing"


class OpenObject:
    """An object that is being read. Read it to the end, or close it."""

    def __init__(self, answer: BaseHTTPResponse) -> None:
        self._answer = answer
        self.length = int(answer.headers.get("Content-Length", -1))

    def pieces(self) -> Iterator[bytes]:
        """The bytes in pieces of up to 64 KiB. Raises StorageError when they end early."""
        received = 0
        try:
            for piece in self._answer.stream(PIECE):
                received += len(piece)
                yield piece
        except (HTTPError, OSError) as error:
            raise _failed("reading an object", type(error).__name__) from error
        finally:
            if received != self.length:
                self.close()
        if received != self.length:
            raise _failed("reading an object", f"{received} of {self.length} bytes")

    def close(self) -> None:
        """Free the connection. After reading to the end, it is back in the pool already."""
        self._answer.close()


def open_object(key: str, span: tuple[int, int] | None = None) -> OpenObject:
    """Begin to read an object, or its bytes from `span[0]` to `span[1]` inclusive. Raises ObjectMissing or
    StorageError."""
    headers = {"Range": f"bytes={span[0]}-{span[1]}"} if span else {}
    answer = _ask("GET", key, "reading an object", headers=headers)
    if not (is_range(answer, span[0]) if span else answer.status == 200):
        status = answer.status
        answer.drain_conn()
        answer.release_conn()
        if status == 404:
            raise ObjectMissing("reading an object that is not there")
        raise _failed("reading an object", status)
    return OpenObject(answer)


def object_headers(key: str) -> dict[str, str]:
    """The headers that are stored with an object. Raises ObjectGone or StorageError."""
    answer = _ask("HEAD", key, "looking at an object", headers={})
    answer.drain_conn()
    answer.release_conn()
    if answer.status == 404:
        raise ObjectGone("looking at an object")
    if answer.status != 200:
        raise _failed("looking at an object", answer.status)
    return dict(answer.headers)


def write_object(key: str, file: IO[bytes], size: int, md5: bytes, headers: Mapping[str, str]) -> None:
    """Store `size` bytes of `file` from its current position. Storage compares them with `md5` while they arrive, so
    that exactly the checked bytes are stored. Raises StorageError."""
    sent = {
        "Content-Length": str(size),
        "Content-MD5": base64.b64encode(md5).decode(),
        **headers,
    }
    pieces = iter(lambda: file.read(PIECE), b"")
    answer = _ask("PUT", key, "storing an object", headers=sent, body=pieces)
    answer.drain_conn()
    answer.release_conn()
    if answer.status != 200:
        raise _failed("storing an object", answer.status)


def _ask(
    method: str, key: str, doing: str, headers: Mapping[str, str], body: Iterator[bytes] | None = None
) -> BaseHTTPResponse:
    url = presign(settings().storage_settings, method, key, {}, _SIGNED_FOR)
    try:
        answer = bucket().http.request(
            method, url, headers=dict(headers), body=body, preload_content=False, redirect=False
        )
        storage_status.record(answered=True)
        return answer
    except (HTTPError, OSError) as error:
        storage_status.record(answered=False)
        raise _failed(doing, type(error).__name__) from error


def _failed(doing: str, why: object) -> StorageError:
    log.warning("storage failed while %s: %s", doing, why)
    return StorageError(doing)
