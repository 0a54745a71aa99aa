"""The bucket, over the MinIO SDK's public methods.

Multipart control calls go through presigned URLs with extra query parameters: the SDK's own `put_object` signs every
part's digest a second time over plain http (measured: 241 instead of 354 MiB/s), and keeps its multipart calls private.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import urllib3
from flask import current_app
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from urllib3.exceptions import HTTPError
from urllib3.util import Retry, Timeout

from app.config.settings import settings
from app.config.storage_settings import StorageSettings
from app.data.models.base import now
from app.process.metrics import STORAGE_ERRORS
from app.refusals import Unavailable
from app.storage.availability import storage_status
from app.storage.url_signing import presign
from app.storage.xml_answers import XmlAnswer, excerpt, understood

log = logging.getLogger(__name__)

Pieces = Sequence[bytes]
MAX_COMPLETE_TRIES = 4
COMPLETE_PAUSE_SECONDS = 0.5  # after the first try; longer after each
MAX_EXPLANATION = 4096  # bytes of an error that are read
_SIGNED_FOR = timedelta(hours=1)
_SHARED_FOR = timedelta(minutes=1)  # how long game servers get the same address
_MAX_SHARED = 4096  # addresses


class StorageError(Unavailable):
    """Storage failed to do what was requested. The message is fit for people and names no address or key.

    `doing`: one of few texts, by which the error is counted. `details` ends it in the message."""

    kind = "failed"

    def __init__(self, doing: str, details: str = "") -> None:
        super().__init__(
            f"Storage is unreachable or refused while {doing}{details}. Nothing was changed; try again.", 10
        )
        STORAGE_ERRORS.labels(doing, self.kind).inc()


class ObjectGone(StorageError):
    """Storage has no such object, transfer or bucket (any more). Retrying cannot help."""

    kind = "missing"


@dataclass(frozen=True)
class StoredObject:
    key: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class OpenMultipart:
    key: str
    multipart_id: str
    begun: datetime


@dataclass(frozen=True)
class StoredPart:
    number: int
    size: int
    etag: str
    modified: datetime


@dataclass(frozen=True)
class _SharedUrl:
    url: str
    until: float  # by the monotonic clock


class Bucket:
    """One bucket and its clients. Thread-safe."""

    def __init__(self, where: StorageSettings) -> None:
        self.name = where.bucket
        self._where = where
        self.http = urllib3.PoolManager(
            maxsize=64, block=False, timeout=Timeout(connect=5, read=60), retries=Retry(total=0)
        )
        quick = urllib3.PoolManager(maxsize=16, timeout=Timeout(connect=3, read=20), retries=Retry(total=1))
        self._client = _client(where, where.endpoint, quick)
        # Health checks and pages wait for this one: it gives up on a storage that accepts connections and stays silent.
        impatient = urllib3.PoolManager(maxsize=4, timeout=Timeout(connect=3, read=5), retries=Retry(total=0))
        self._prober = _client(where, where.endpoint, impatient)
        # Presigning needs no connection: these two only hold other addresses of the same bucket.
        self._agents = _client(where, where.agent_endpoint, quick)
        self._browsers = _client(where, where.public_endpoint, quick)
        self._agent_urls: dict[tuple[str, timedelta], _SharedUrl] = {}

    def ping(self) -> None:
        """Raises StorageError unless the bucket answers."""
        with _storage_errors("looking for the bucket"):
            if not self._prober.bucket_exists(self.name):
                raise StorageError("looking for the bucket", f" '{self.name}', which does not exist")

    def make(self) -> None:
        """Make the bucket unless it is there."""
        with _storage_errors("making the bucket"):
            if not self._client.bucket_exists(self.name):
                self._client.make_bucket(self.name)

    def remove(self) -> None:
        """Remove the bucket, which must be empty."""
        with _storage_errors("removing a bucket"):
            self._client.remove_bucket(self.name)

    def beside(self) -> list[tuple[str, datetime]]:
        """Every bucket that our key can list, with its time of creation."""
        with _storage_errors("listing buckets"):
            return [(found.name, found.creation_date or now()) for found in self._client.list_buckets()]

    def agent_url(self, key: str, lifetime: timedelta) -> str:
        """A presigned GET for a game server, for at least `lifetime`. Servers that ask within a minute get the same
        address: after a release, hundreds ask at once for addresses of the same objects."""
        asked_at = time.monotonic()
        known = self._agent_urls.get((key, lifetime))
        if known is not None and known.until > asked_at:
            return known.url
        url = self._agents.presigned_get_object(self.name, key, expires=lifetime + _SHARED_FOR)
        if len(self._agent_urls) >= _MAX_SHARED:
            self._agent_urls.clear()
        self._agent_urls[key, lifetime] = _SharedUrl(url, asked_at + _SHARED_FOR.total_seconds())
        return url

    def browser_url(self, key: str, lifetime: timedelta, file_name: str | None = None) -> str:
        """A presigned GET for a browser, saved under `file_name`."""
        headers = {"response-content-disposition": f'attachment; filename="{file_name}"'} if file_name else None
        return self._browsers.presigned_get_object(self.name, key, expires=lifetime, response_headers=headers)  # type: ignore[arg-type]  # the SDK's annotation is narrower than what it takes

    def stat(self, key: str) -> StoredObject | None:
        """The object's size and age, or None when there is none."""
        with _storage_errors("looking at an object"):
            try:
                found = self._client.stat_object(self.name, key)
            except S3Error as error:
                if error.code in {"NoSuchKey", "NoSuchObject"}:
                    return None
                raise
        return StoredObject(key, found.size or 0, found.last_modified or now())

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """Every object under a prefix."""
        with _storage_errors("listing objects"):
            for found in self._client.list_objects(self.name, prefix=prefix, recursive=True):
                # A gateway over a file system also lists empty directories.
                if found.object_name and found.last_modified and not found.object_name.endswith("/"):
                    yield StoredObject(found.object_name, found.size or 0, found.last_modified)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects. Missing objects are no error."""
        with _storage_errors("deleting objects"):
            for failure in self._client.remove_objects(self.name, [DeleteObject(key) for key in keys]):
                if failure.code not in {"NoSuchKey", "NoSuchVersion"}:
                    raise StorageError("deleting objects")

    def start_multipart(self, key: str) -> str:
        """Open a multipart transfer. Returns the storage's id for it."""
        body = self._control("POST", key, {"uploads": ""}, "starting an upload")
        with _storage_errors("starting an upload"), understood(body, "starting an upload") as answer:
            return answer.required("UploadId")

    def put_part(self, key: str, multipart_id: str, number: int, pieces: Pieces) -> str:
        """Store one part, given as pieces that are never joined. Returns its ETag."""
        url = self._signed("PUT", key, {"uploadId": multipart_id, "partNumber": str(number)})
        length = sum(len(piece) for piece in pieces)
        with _storage_errors("storing a part"):
            answer = self.http.request(
                "PUT", url, body=iter(pieces), headers={"Content-Length": str(length)}, redirect=False
            )
        if answer.status != 200 or "ETag" not in answer.headers:
            raise _unexpected(answer.status, answer.data, f"storing part {number}")
        return answer.headers["ETag"]

    def parts(self, key: str, multipart_id: str) -> list[StoredPart] | None:
        """The parts that arrived, by number. None when there is no such transfer: it was completed or aborted."""
        found: list[StoredPart] = []
        marker = "0"
        while True:
            url = self._signed("GET", key, {"uploadId": multipart_id, "part-number-marker": marker})
            with _storage_errors("listing parts"):
                answer = self.http.request("GET", url, redirect=False)
            if answer.status == 404 and b"NoSuchUpload" in answer.data:
                return None
            if answer.status != 200:
                raise _unexpected(answer.status, answer.data, "listing parts")
            with _storage_errors("listing parts"), understood(answer.data, "listing parts") as page:
                found += [_part(part) for part in page.each("Part")]
                marker = page.text("NextPartNumberMarker") or "0"
                if not page.flag("IsTruncated") or marker == "0":
                    return sorted(found, key=lambda part: part.number)

    def read(self, key: str, start: int, length: int, piece: int) -> Generator[bytes]:
        """`length` bytes of an object from `start` on, in pieces of up to `piece` bytes. Raises StorageError, also when
        the bytes end early, and ObjectGone when there is no object. Pieces that were yielded before are right."""
        url, left = self._signed("GET", key, {}), length
        headers = {"Range": f"bytes={start}-{start + length - 1}"}
        with _storage_errors("reading an object"):
            answer = self.http.request("GET", url, headers=headers, redirect=False, preload_content=False)
            try:
                if not is_range(answer, start):
                    explanation = answer.read(MAX_EXPLANATION) if answer.status >= 300 else b""
                    raise _unexpected(answer.status, explanation, "reading an object")
                while left > 0 and (data := answer.read(min(piece, left))):
                    left -= len(data)
                    yield data
            finally:
                # A connection in the middle of a body cannot carry another request.
                answer.release_conn() if left == 0 else answer.close()
        if left:
            raise StorageError("reading an object")

    def complete_multipart(self, key: str, multipart_id: str, etags: Sequence[str]) -> None:
        """Make the object of its parts. May be called again: then the object is simply there. Raises ObjectGone when
        the parts were aborted meanwhile, other StorageErrors after MAX_COMPLETE_TRIES."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            for number, etag in enumerate(etags, start=1)
        )
        document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        for attempt in range(1, MAX_COMPLETE_TRIES + 1):
            try:
                body = self._control("POST", key, {"uploadId": multipart_id}, "finishing an upload", document)
                if b"<Error" in body:  # S3 may answer 200 first and fail later
                    raise _unexpected(200, body, "finishing an upload")
                return
            except StorageError as error:
                # In this order: first no parts and then no object means that they were never joined.
                dropped = isinstance(error, ObjectGone) or self._is_dropped(key, multipart_id)
                if self._is_there(key):  # only the answer was lost
                    return
                if dropped:
                    raise ObjectGone("finishing an upload") from error
                # All bytes are stored: a short failure of storage must not cost the whole upload.
                if attempt == MAX_COMPLETE_TRIES:
                    raise
                time.sleep(COMPLETE_PAUSE_SECONDS * attempt)

    def _is_there(self, key: str) -> bool:
        try:
            return self.stat(key) is not None
        except StorageError:
            return False

    def _is_dropped(self, key: str, multipart_id: str) -> bool:
        try:
            return self.parts(key, multipart_id) is None
        except StorageError:
            return False

    def abort_multipart(self, key: str, multipart_id: str) -> None:
        """Abort a transfer and drop its parts. A missing transfer is no error."""
        url = self._signed("DELETE", key, {"uploadId": multipart_id})
        with _storage_errors("dropping an upload"):
            answer = self.http.request("DELETE", url, redirect=False)
        if answer.status not in {200, 204, 404}:
            raise _unexpected(answer.status, answer.data, "dropping an upload")

    def open_multiparts(self, prefix: str) -> list[OpenMultipart]:
        """Transfers under a prefix that were neither completed nor aborted."""
        found: list[OpenMultipart] = []
        markers: dict[str, str] = {}
        while True:
            # The SDK presigns requests for objects only; this one is for the bucket.
            url = presign(self._where, "GET", "", {"uploads": "", "prefix": prefix, **markers}, _SIGNED_FOR)
            with _storage_errors("listing uploads"):
                answer = self.http.request("GET", url, redirect=False)
            if answer.status != 200:
                raise _unexpected(answer.status, answer.data, "listing uploads")
            with _storage_errors("listing uploads"), understood(answer.data, "listing uploads") as page:
                found += [_transfer(upload) for upload in page.each("Upload")]
                markers = {
                    "key-marker": page.text("NextKeyMarker"),
                    "upload-id-marker": page.text("NextUploadIdMarker"),
                }
                if not page.flag("IsTruncated") or not markers["key-marker"]:
                    return found

    def _signed(self, method: str, key: str, query: dict[str, str]) -> str:
        extra: Any = query
        return self._client.get_presigned_url(method, self.name, key, expires=_SIGNED_FOR, extra_query_params=extra)

    def _control(self, method: str, key: str, query: dict[str, str], doing: str, body: bytes = b"") -> bytes:
        with _storage_errors(doing):
            answer = self.http.request(method, self._signed(method, key, query), body=body, redirect=False)
        if answer.status != 200:
            raise _unexpected(answer.status, answer.data, doing)
        return answer.data


def _unexpected(status: int, body: bytes, doing: str) -> StorageError:
    """The error for an unexpected answer. The log has its status and the beginning of its body."""
    log.warning("storage answered %s while %s: %s", status, doing, excerpt(body))
    return ObjectGone(doing) if status == 404 else StorageError(doing)


class _storage_errors:  # noqa: N801 (used as a statement: `with _said("storing a part"):`)
    """Turns errors of the storage and the network into StorageError, which shows no address, key or signature."""

    def __init__(self, doing: str) -> None:
        self.doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, S3Error | HTTPError | OSError):
            storage_status.record(error is None or isinstance(error, S3Error))
        if isinstance(error, S3Error | HTTPError | OSError | ValueError) and not isinstance(error, StorageError):
            log.warning("storage failed while %s: %s", self.doing, getattr(error, "code", type(error).__name__))
            raise StorageError(self.doing) from error


def is_range(answer: urllib3.BaseHTTPResponse, start: int) -> bool:
    """Whether an answer has the requested range, from `start` on. Storage that ignores Range sends the whole object;
    rclone sends the range, but with status 200."""
    begins = f"bytes {start}-"
    return answer.status == 206 or (answer.status == 200 and answer.headers.get("Content-Range", "").startswith(begins))


def _part(found: XmlAnswer) -> StoredPart:
    return StoredPart(
        number=found.number("PartNumber"),
        size=found.number("Size"),
        etag=found.required("ETag"),
        modified=found.moment("LastModified"),
    )


def _transfer(found: XmlAnswer) -> OpenMultipart:
    return OpenMultipart(
        key=found.required("Key"), multipart_id=found.required("UploadId"), begun=found.moment("Initiated")
    )


def _client(where: StorageSettings, endpoint: str, http: urllib3.PoolManager) -> Minio:
    parts = urlsplit(endpoint)
    return Minio(
        parts.netloc,
        access_key=where.access_key,
        secret_key=where.secret_key,
        secure=parts.scheme == "https",
        region=where.region,  # without it the SDK sends a request before every first call
        http_client=http,
    )


def bucket() -> Bucket:
    """The running app's bucket. Raises SettingsError when no storage is set."""
    found: Bucket | None = current_app.extensions["slipway_bucket"]
    return found or Bucket(settings().storage_settings)
