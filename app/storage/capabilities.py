"""Checks of what the configured storage supports, for `flask doctor`: what docs/storage.md says that some lack."""

from __future__ import annotations

from datetime import timedelta

import urllib3
from urllib3.exceptions import HTTPError

from app.config.settings import settings
from app.config.storage_settings import StorageSettings
from app.process.check_result import CheckResult, failed, ok
from app.storage.bucket import Bucket, StorageError
from app.storage.url_signing import presign
from app.storage.write_address_probe import probe_name

_LIFETIME = timedelta(minutes=5)
_CONTENT = b"0123456789"


def ranges_are_sent() -> CheckResult:
    """Whether storage sends parts of objects."""
    return check_ranges(settings().storage_settings)


def transfers_are_listed() -> CheckResult:
    """Whether storage lists transfers that were begun and not completed."""
    return check_transfers(settings().storage_settings)


def check_ranges(where: StorageSettings) -> CheckResult:
    """Reads the middle of a small object. Raises StorageError."""
    store, key = Bucket(where), probe_name("archives/")
    try:
        _ask(store, "PUT", presign(where, "PUT", key, {}, _LIFETIME), body=_CONTENT)
        answer = _ask(store, "GET", presign(where, "GET", key, {}, _LIFETIME), headers={"Range": "bytes=2-4"})
    finally:
        store.delete([key])
    if answer.data != _CONTENT[2:5]:
        return failed(
            f"Storage ignores the requested range of an object (status {answer.status}). Uploads in parts cannot be "
            "checked, and game servers cannot use packs. Use another storage (docs/storage.md)."
        )
    if answer.status != 206:
        return failed(
            f"Storage sends ranges of objects with status {answer.status} instead of 206. Uploads and archives work, "
            "but game servers cannot use packs: they fetch the whole archive of each build (docs/storage.md)."
        )
    return ok("Storage sends ranges of objects.")


def check_transfers(where: StorageSettings) -> CheckResult:
    """Begins a transfer and looks for it. Raises StorageError."""
    store, key = Bucket(where), probe_name("archives/")
    transfer = store.start_multipart(key)
    try:
        is_listed = any(found.multipart_id == transfer for found in store.open_multiparts(key))
    finally:
        store.abort_multipart(key, transfer)
    if not is_listed:
        return failed(
            "Storage does not list transfers that were not completed, so the sweep cannot remove those of a process "
            "that was killed. Let the storage itself remove them after some days (docs/storage.md)."
        )
    return ok("Storage lists transfers that were not completed.")


def _ask(
    store: Bucket, method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> urllib3.BaseHTTPResponse:
    try:
        return store.http.request(method, url, body=body, headers=headers, redirect=False)
    except (HTTPError, OSError) as error:
        raise StorageError("checking what storage supports") from error
