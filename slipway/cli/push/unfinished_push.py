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
    """The state of one push: of the archive with this digest, to this game of this platform, with this `release`
    option. Where it cannot be stored, `problem` is set, and a push that is interrupted starts again."""

    def __init__(self, url: str, slug: str, sha256: str, release: bool | None) -> None:
        name = hashlib.sha256("\n".join([url, slug, sha256, str(release)]).encode()).hexdigest()[:32]
        self._path: Path | None = None
        self._record: dict[str, Any] = {}
        self.problem: str | None = None
        try:
            self._path = config_folder() / "unfinished" / f"{name}.json"
            self._record = read_json(self._path) or {}
        except (CommandError, OSError) as error:
            self.problem = _reason(error)

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
            write_json(self._path, record)
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
        self._record = {}
        if self._path is not None:
            with contextlib.suppress(OSError):  # without the file, or where it could not be written
                self._path.unlink()


def _reason(error: CommandError | OSError) -> str:
    if isinstance(error, CommandError):
        return str(error)
    return f"{error.filename or config_folder()} cannot be written: {error.strerror}."
