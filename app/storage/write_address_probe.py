"""Tries to misuse addresses for writing on the configured storage.

A client can add unsigned headers to a PUT on a presigned address. AWS refuses them. With `x-amz-copy-source`, other
storages copy any object that the signing identity may read, in this bucket or another. With a header for "snowballs",
MinIO unpacks the body into other objects; for a plain PUT it does so with any signer, so only part uploads get
addresses. A client can also send more bytes than it announced. The probe looks at the stored objects, not at the
answers.
"""

from __future__ import annotations

import io
import logging
import re
import secrets
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import urllib3
from minio.error import S3Error
from urllib3.exceptions import HTTPError

from app.config.storage_settings import StorageSettings
from app.data.models.base import now
from app.storage.availability import storage_status
from app.storage.bucket import Bucket, StorageError
from app.storage.url_signing import presign

log = logging.getLogger(__name__)

_PROBE = "probe-"  # prefix of the probe's own objects, below both incoming prefixes
_LIFETIME = timedelta(minutes=5)
_SENT = b"what a client sends"
_LONGER = _SENT + b", and more"
# The kinds of upload in words, their prefix, and what is signed besides the length.
_KINDS: Sequence[tuple[str, str, dict[str, str]]] = (
    ("an image", "staging/", {"content-type": "image/png"}),
    ("a part of an archive", "archives/", {}),
)
_UNPACK = {"x-amz-meta-snowball-auto-extract": "true", "x-minio-extract": "true"}
_SECRET_BYTES = 64  # longer than the bytes sent, so that neither a whole nor a ranged copy equals them
_OTHER_KEY = "probe"  # the one object in the probe's own bucket
_PROBE_BUCKET = re.compile(r"slipway-probe-[0-9a-f]{16}")
_LEFT_OVER = timedelta(hours=1)


@dataclass
class Finding:
    """The results, in words. `copied`: what became a copy; `unpacked`: what wrote other objects; `oversized`: what
    accepted more bytes than its address was signed for; `not_written`: honest PUTs that were refused; `not_tried`:
    attempts that could not be made, and why."""

    copied: list[str] = field(default_factory=list)
    unpacked: list[str] = field(default_factory=list)
    oversized: list[str] = field(default_factory=list)
    not_written: list[str] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)

    @property
    def safe(self) -> bool:
        """Whether addresses for writing do what they are for, and nothing else."""
        return not (self.copied or self.unpacked or self.oversized or self.not_written)


@dataclass(frozen=True)
class _Source:
    """An object that clients must not read, under `/bucket/key`."""

    path: str
    words: str
    secret: bytes


def probe_write_addresses(where: StorageSettings) -> Finding:
    """Try every misuse on every kind of address, with copies from this bucket and another, and clean up. Raises
    StorageError if storage gave no clear answer."""
    attempt, finding = _Attempt(where), Finding()
    try:
        attempt.try_lengths(finding)
        attempt.try_unpacking(finding)
        here = attempt.put_source(attempt.store, probe_name("archives/"), "this bucket")
        if here is None:
            raise _unclear("the app's own key may not put objects")
        attempt.try_source(here, finding)
        with _other_bucket(where, finding) as other:
            there = attempt.put_source(other, _OTHER_KEY, "another bucket") if other else None
            if there:
                attempt.try_source(there, finding)
            elif other:
                finding.not_tried.append("a copy from another bucket: nothing could be put there")
    finally:
        attempt.clean_up()
    return finding


class _Attempt:
    """The requests of one probe. Its keys are where the sweep finds them if the process dies."""

    def __init__(self, where: StorageSettings) -> None:
        self.where = where
        self.store = Bucket(where)
        self._made: list[str] = []

    def put_source(self, store: Bucket, key: str, words: str) -> _Source | None:
        """Store an object that clients must not read. None if storage refuses it. One in this bucket is cleaned up with
        the rest."""
        secret = secrets.token_hex(_SECRET_BYTES // 2).encode()
        if store is self.store:
            self._made.append(key)
        url = presign(replace(self.where, bucket=store.name), "PUT", key, {}, _LIFETIME)
        if (status := self._ask("PUT", url, body=secret).status) != 200:
            log.warning("storage answered %s to an object of our own", status)
            return None
        return _Source(f"/{store.name}/{key}", words, secret)

    def try_source(self, source: _Source, finding: Finding) -> None:
        """Copies from one source, complete and as a range of the announced length."""
        copy = {"x-amz-copy-source": source.path}
        ranged = copy | {"x-amz-copy-source-range": f"bytes=0-{len(_SENT) - 1}"}
        for words, prefix, signed in _KINDS:
            for form, headers in ((words, copy), (f"{words}, as a range,", ranged)):
                if source.secret[: len(_SENT)] in self.sent(prefix, _SENT, signed, headers):
                    finding.copied.append(f"{form} from {source.words}")

    def try_lengths(self, finding: Finding) -> None:
        """Honest PUTs, and PUTs with more bytes than were signed."""
        for words, prefix, signed in _KINDS:
            if self.sent(prefix, _SENT, signed, {}) != _SENT:
                finding.not_written.append(words)
            longer = {"content-length": str(len(_LONGER))}
            if len(self.sent(prefix, _LONGER, signed, longer, announced=len(_SENT))) > len(_SENT):
                finding.oversized.append(words)

    def try_unpacking(self, finding: Finding) -> None:
        """A tar that must not become the objects named in it."""
        for words, prefix, signed in _KINDS:
            names = [probe_name(prefix) for _, prefix, _ in _KINDS]
            self._made += names
            self.sent(prefix, _tar(names), signed, _UNPACK)
            if any(self.store.stat(name) for name in names):
                finding.unpacked.append(words)

    def sent(
        self, prefix: str, body: bytes, signed: dict[str, str], more: dict[str, str], announced: int | None = None
    ) -> bytes:
        """The content of a one-part object after such a PUT. Empty if storage refused it."""
        key = probe_name(prefix)
        self._made.append(key)
        transfer = self.store.start_multipart(key)
        try:
            signed = signed | {"content-length": str(len(body) if announced is None else announced)}
            if not self._put(key, transfer, body, signed, more):
                return b""
            etags = [part.etag for part in self.store.parts(key, transfer) or []]
            self.store.complete_multipart(key, transfer, etags)
        finally:
            self.store.abort_multipart(key, transfer)
        return self._contents(key)

    def _put(self, key: str, transfer: str, body: bytes, signed: dict[str, str], more: dict[str, str]) -> bool:
        """A client's PUT: on an address that the upload identity signed, with unsigned headers. Returns whether storage
        accepted it."""
        query = {"uploadId": transfer, "partNumber": "1"}
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
            storage_status.record(answered=True)
            return answer
        except (HTTPError, OSError) as error:
            storage_status.record(answered=False)
            raise _unclear(type(error).__name__) from error

    def clean_up(self) -> None:
        try:
            self.store.delete(self._made)
        except StorageError:
            log.info("objects of the probe of addresses for writing are left to the sweep")


def is_of_a_probe(key: str, made: datetime) -> bool:
    """Whether an object or transfer belongs to a probe that may still run. Those of an older probe are orphans."""
    return key.partition("/")[2].startswith(_PROBE) and made > now() - _LEFT_OVER


def probe_name(prefix: str) -> str:
    """A key for an object that exists only during a probe."""
    return f"{prefix}{_PROBE}{secrets.token_hex(8)}"


def _unclear(why: object) -> StorageError:
    log.warning("storage gave no clear answer to the probe of addresses for writing: %s", why)
    return StorageError("checking what addresses for writing can do")


def _tar(names: Sequence[str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(_SENT)
            archive.addfile(member, io.BytesIO(_SENT))
    return out.getvalue()


@contextmanager
def _other_bucket(where: StorageSettings, finding: Finding) -> Iterator[Bucket | None]:
    """A second bucket for the length of the block. None if we may not make one; `not_tried` gets the reason."""
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
    """Delete the probe buckets of processes that died in the middle."""
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
