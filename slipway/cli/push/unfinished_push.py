"""The stored state of an unfinished push, so that it can continue after a kill or a reboot. The platform stores
which parts have arrived."""

from __future__ import annotations

import contextlib
import hashlib
import time
import uuid
from pathlib import Path
from typing import Any

from slipway.cli.command_error import CommandError
from slipway.cli.credentials import config_folder
from slipway.client.durable import read_json, write_json

_MAX_AGE_SECONDS = 90 * 24 * 3600.0


class UnfinishedPush:
    """The state of one push: of an archive of `size` bytes with this identity, to this game of this platform, with this
    `release` option. The identity is the digest, or for a file that is sent while it is read, its path and time. Where
    the state cannot be stored, `problem` is set, and a push that is interrupted starts again."""

    def __init__(self, url: str, slug: str, release: bool | None, size: int, identity: str) -> None:
        self._prefix = f"{_digest(url, slug, str(release), str(size))}-"
        self._path: Path | None = None
        self._twin: Path | None = None  # the same state under another identity
        self._record: dict[str, Any] = {}
        self.problem: str | None = None
        try:
            self._path = self._path_for(identity)
            self._record = read_json(self._path) or {}
        except (CommandError, OSError) as error:
            self.problem = _reason(error)

    @property
    def others_exist(self) -> bool:
        """Whether an archive of the same size has an unfinished push under another identity."""
        return any(path != self._path for path in self._all_paths())

    def add_identity(self, identity: str) -> None:
        """Store the state under another identity too. Later calls change both."""
        if self._path is not None and self._twin is None:
            self._twin = self._path_for(identity)
            self._store(self._record)

    @property
    def upload_id(self) -> str | None:
        found = self._record.get("uploadId")
        return found if isinstance(found, str) else None

    def idempotency_key(self, request: dict[str, Any]) -> str:
        """The key for a request. It is stored before the request is sent: a push that was killed before the response
        arrived repeats the request with the same key and gets the same upload."""
        digest = hashlib.sha256(repr(sorted(request.items())).encode()).hexdigest()
        if self._record.get("request") != digest:
            self._store({"request": digest, "idempotencyKey": str(uuid.uuid4())})
        return str(self._record["idempotencyKey"])

    def record_upload(self, upload_id: str) -> None:
        self._store(self._record | {"uploadId": upload_id})
        self._drop_old()

    def _store(self, record: dict[str, Any]) -> None:
        self._record = record
        if self._path is None:
            return
        try:
            for path in filter(None, (self._path, self._twin)):
                write_json(path, record)
        except OSError as error:
            self.problem = _reason(error)

    def _drop_old(self) -> None:
        """Remove the state of abandoned pushes, whose uploads the platform has deleted."""
        if self._path is None:
            return
        oldest = time.time() - _MAX_AGE_SECONDS
        for path in self._path.parent.glob("*.json"):
            with contextlib.suppress(OSError):  # another push has removed it
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def clear(self) -> None:
        """Remove the state, under every identity."""
        upload_id = self.upload_id
        for path in self._all_paths():
            with contextlib.suppress(OSError):  # without the file, or where it could not be written
                if path == self._path or (upload_id and (read_json(path) or {}).get("uploadId") == upload_id):
                    path.unlink()
        self._record, self._twin = {}, None

    def _all_paths(self) -> list[Path]:
        """The states of archives of this size."""
        return [] if self._path is None else list(self._path.parent.glob(f"{self._prefix}*.json"))

    def _path_for(self, identity: str) -> Path:
        return config_folder() / "unfinished" / f"{self._prefix}{_digest(identity)}.json"


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode(errors="surrogateescape")).hexdigest()[:24]


def _reason(error: CommandError | OSError) -> str:
    if isinstance(error, CommandError):
        return str(error)
    return f"{error.filename or config_folder()} cannot be written: {error.strerror}."
