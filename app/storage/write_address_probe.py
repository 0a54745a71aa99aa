"""Tries to misuse addresses for writing on the storage that is set.

A client may add `x-amz-copy-source` to the PUT that it was given a presigned address for. The header is not signed. AWS
refuses that; other storages make a copy of any object that the signing identity may read, in this bucket or another.
A client may also send more bytes than it announced. What was stored decides here, not what storage answered.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import urllib3
from minio.error import S3Error
from urllib3.exceptions import HTTPError

from app.config import StorageSettings
from app.models.base import now
from app.storage.bucket import Bucket, StorageError
from app.storage.note import note
from app.storage.signing import presign

log = logging.getLogger(__name__)

PROBE = "probe-"  # how the names of our own objects begin, under either prefix
_LIFETIME = timedelta(minutes=5)
_SENT = b"what a client sends"
_LONGER = _SENT + b", and more"
_SECRET_BYTES = 64  # longer than what is sent, so that a whole copy and a ranged one both differ from it
_OTHER_KEY = "probe"  # the one object of a bucket that we make
_PROBE_BUCKET = re.compile(r"slipway-probe-[0-9a-f]{16}")
_LEFT_OVER = timedelta(hours=1)


@dataclass
class Finding:
    """What the attempts showed, in words. `copied`: what became a copy; `oversized`: what took more bytes than its
    address was signed for; `not_written`: which honest PUTs were refused; `not_tried`: what was not tried, and why."""

    copied: list[str] = field(default_factory=list)
    oversized: list[str] = field(default_factory=list)
    not_written: list[str] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)

    @property
    def safe(self) -> bool:
        """Whether addresses for writing do what they are for, and only that."""
        return not (self.copied or self.oversized or self.not_written)


@dataclass(frozen=True)
class _Source:
    """An object that no client may read, under `/bucket/key`."""

    path: str
    words: str
    secret: bytes


def probe_write_addresses(where: StorageSettings) -> Finding:
    """Try it on a staged image and on a part, with copies from this bucket and another, and clean up. Raises
    StorageError when storage gave no clear answer."""
    attempt, finding = _Attempt(where), Finding()
    try:
        attempt.try_honestly(finding)
        here = attempt.put_source(attempt.store, _name("archives/"), "this bucket")
        attempt.try_source(here, finding)
        with _other_bucket(where, finding) as other:
            if other is not None:
                attempt.try_source(attempt.put_source(other, _OTHER_KEY, "another bucket"), finding)
    finally:
        attempt.clean_up()
    return finding


class _Attempt:
    """The requests of one try. Its keys lie where the sweep finds what a process that dies leaves behind."""

    def __init__(self, where: StorageSettings) -> None:
        self.where = where
        self.store = Bucket(where)
        self._made: list[str] = []

    def put_source(self, store: Bucket, key: str, words: str) -> _Source:
        """Store what no client may read. One in this bucket is cleaned up with the rest."""
        secret = secrets.token_hex(_SECRET_BYTES // 2).encode()
        if store is self.store:
            self._made.append(key)
        url = presign(replace(self.where, bucket=store.name), "PUT", key, {}, _LIFETIME)
        if (status := self._ask("PUT", url, body=secret).status) != 200:
            raise _unclear(status)
        return _Source(f"/{store.name}/{key}", words, secret)

    def try_source(self, source: _Source, finding: Finding) -> None:
        """Every form of the attack from one source."""
        copy = {"x-amz-copy-source": source.path}
        ranged = copy | {"x-amz-copy-source-range": f"bytes=0-{len(_SENT) - 1}"}
        stored = {"a staged image": self.staged(copy), "a part": self.part(copy), "a ranged part": self.part(ranged)}
        finding.copied += [
            f"{words} from {source.words}" for words, found in stored.items() if source.secret[: len(_SENT)] in found
        ]

    def try_honestly(self, finding: Finding) -> None:
        """What the addresses are for, and the same with more bytes than they are signed for."""
        stored = {"a staged image": self.staged({}), "a part": self.part({})}
        finding.not_written += [words for words, found in stored.items() if found != _SENT]
        longer = {"content-length": str(len(_LONGER))}
        stored = {"a staged image": self.staged(longer, _LONGER), "a part": self.part(longer, _LONGER)}
        finding.oversized += [words for words, found in stored.items() if len(found) > len(_SENT)]

    def staged(self, headers: dict[str, str], body: bytes = _SENT) -> bytes:
        """What a staged image holds after such a PUT; nothing where storage refused it."""
        key = _name("staging/")
        self._made.append(key)
        return self._contents(key) if self._put(key, {}, {"content-type": "image/png"}, headers, body) else b""

    def part(self, headers: dict[str, str], body: bytes = _SENT) -> bytes:
        """What an archive of one part holds after such a PUT; nothing where storage refused it."""
        key = _name("archives/")
        self._made.append(key)
        transfer = self.store.start_multipart(key)
        try:
            if not self._put(key, {"uploadId": transfer, "partNumber": "1"}, {}, headers, body):
                return b""
            etags = [part.etag for part in self.store.parts(key, transfer) or []]
            self.store.complete_multipart(key, transfer, etags)
        finally:
            self.store.abort_multipart(key, transfer)
        return self._contents(key)

    def _put(self, key: str, query: dict[str, str], signed: dict[str, str], more: dict[str, str], body: bytes) -> bool:
        """As a client would: on an address that the upload identity signed, with headers that it did not. Whether
        storage took it."""
        signed = {"content-length": str(len(_SENT))} | signed
        url = presign(self.where.upload_signer, "PUT", key, query, _LIFETIME, headers=signed)
        status = self._ask("PUT", url, body=body, headers=signed | more).status
        if status != 200 and not 400 <= status < 500 and status != 501:
            raise _unclear(status)
        return status == 200

    def _contents(self, key: str) -> bytes:
        answer = self._ask("GET", presign(self.where, "GET", key, {}, _LIFETIME))
        if answer.status != 200:
            raise _unclear(answer.status)
        return answer.data

    def _ask(
        self, method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        try:
            answer = self.store.http.request(method, url, body=body, headers=headers, redirect=False)
            note.heard(answered=True)
            return answer
        except (HTTPError, OSError) as error:
            note.heard(answered=False)
            raise _unclear(type(error).__name__) from error

    def clean_up(self) -> None:
        try:
            self.store.delete(self._made)
        except StorageError:
            log.info("objects of the probe of addresses for writing are left to the sweep")


def _unclear(why: object) -> StorageError:
    log.warning("storage gave no clear answer to the probe of addresses for writing: %s", why)
    return StorageError("checking what addresses for writing can do")


def _name(prefix: str) -> str:
    return f"{prefix}{PROBE}{secrets.token_hex(8)}"


@contextmanager
def _other_bucket(where: StorageSettings, finding: Finding) -> Iterator[Bucket | None]:
    """A bucket beside ours for the length of the block; None, with the reason noted, where we may not make one."""
    store = Bucket(replace(where, bucket=f"slipway-probe-{secrets.token_hex(8)}"))
    try:
        store.make()
    except StorageError as error:
        refusal = error.__cause__
        if not isinstance(refusal, S3Error) or refusal.response.status >= 500:
            raise
        finding.not_tried.append(f"a copy from another bucket: no bucket could be made ({refusal.code})")
        yield None
        return
    try:
        yield store
    finally:
        _remove([store])
        _remove_left_over(where)


def _remove_left_over(where: StorageSettings) -> None:
    """Probe buckets of processes that died in the middle."""
    try:
        names = Bucket(where).beside()
    except StorageError:
        return
    old = [name for name, made in names if _PROBE_BUCKET.fullmatch(name) and made < now() - _LEFT_OVER]
    _remove([Bucket(replace(where, bucket=name)) for name in old])


def _remove(stores: Sequence[Bucket]) -> None:
    for store in stores:
        try:
            store.delete([_OTHER_KEY])
            store.remove()
        except StorageError:
            log.warning("the bucket %s, made to probe addresses for writing, could not be removed", store.name)
