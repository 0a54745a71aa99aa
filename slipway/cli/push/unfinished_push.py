"""The stored state of an unfinished push, so that it can continue after a kill or a reboot. The platform stores
which parts have arrived."""

from __future__ import annotations

import contextlib
import hashlib
import time
import uuid
from pathlib import Path
from typing import Any

from slipway.cli.credentials import config_folder
from slipway.client.durable import read_json, write_json

_MAX_AGE_SECONDS = 90 * 24 * 3600.0


class UnfinishedPush:
    """The state of one push: of this archive, to this game of this platform, with this `release` option."""

    def __init__(self, url: str, slug: str, fingerprint: str, release: bool | None) -> None:
        name = hashlib.sha256("\n".join([url, slug, fingerprint, str(release)]).encode()).hexdigest()[:32]
        self._path: Path = config_folder() / "unfinished" / f"{name}.json"
        self._record = read_json(self._path) or {}

    @property
    def upload_id(self) -> str | None:
        found = self._record.get("uploadId")
        return found if isinstance(found, str) else None

    def idempotency_key(self, request: dict[str, Any]) -> str:
        """The key for a request. It is stored before the request is sent: a push that was killed before the response
        arrived repeats the request with the same key and gets the same upload."""
        digest = hashlib.sha256(repr(sorted(request.items())).encode()).hexdigest()
        if self._record.get("request") != digest:
            self._record = {"request": digest, "idempotencyKey": str(uuid.uuid4())}
            write_json(self._path, self._record)
        return str(self._record["idempotencyKey"])

    def record_upload(self, upload_id: str) -> None:
        self._record = self._record | {"uploadId": upload_id}
        write_json(self._path, self._record)
        self._drop_old()

    def _drop_old(self) -> None:
        """Remove the state of abandoned pushes, whose uploads the platform has deleted."""
        oldest = time.time() - _MAX_AGE_SECONDS
        for path in self._path.parent.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # another push has removed it
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def clear(self) -> None:
        self._record = {}
        self._path.unlink(missing_ok=True)
