"""Checks of the configured storage, for `flask doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import urllib3
from urllib3.exceptions import HTTPError

from app.config.settings import settings
from app.config.storage_settings import StorageSettings
from app.config.web_address import with_web_address
from app.process.check_result import CheckResult, failed, ok, skipped
from app.storage.bucket import Bucket, StorageError
from app.storage.cors import page_origins
from app.storage.direct_uploads import in_words
from app.storage.url_signing import presign
from app.storage.write_address_probe import probe_name, probe_write_addresses

_LIFETIME = timedelta(minutes=5)
_STRANGER = "https://stranger.example"
# The command does not know how the web server was started.
_PORT_ADVICE = (
    "If the portal has another address, run this command with the PORT or SLIPWAY_BASE_URL that its web server has."
)


def storage_answers() -> CheckResult:
    """Whether the bucket exists."""
    where = settings().storage_settings
    Bucket(where).ping()
    return ok(f"The bucket '{where.bucket}' answers at {where.endpoint}.")


def direct_uploads_are_safe() -> CheckResult:
    """Whether clients can misuse presigned upload addresses to copy objects."""
    finding = probe_write_addresses(settings().storage_settings)
    if not finding.safe:
        return failed(in_words(finding))
    return ok(" ".join([in_words(finding), *(f"Not tried: {what}." for what in finding.not_tried)]))


def upload_identity_may_only_put() -> CheckResult:
    """Whether the upload identity can do more than put objects."""
    where = settings().storage_settings
    if where.upload_access_key is None:
        return skipped(
            "S3_UPLOAD_ACCESS_KEY is not set: the app's own key signs addresses for writing. That is safe only on "
            "storage where the check of direct uploads says so."
        )
    powers = _extra_permissions(where)
    if powers:
        return failed(
            f"The identity of S3_UPLOAD_ACCESS_KEY can {', '.join(powers)}. Give it a policy that allows nothing but "
            "s3:PutObject on archives/* and staging/* (docs/storage.md)."
        )
    return ok("The identity of S3_UPLOAD_ACCESS_KEY can put objects into archives/ and staging/, and nothing else.")


def _extra_permissions(where: StorageSettings) -> Sequence[str]:
    """Its further powers, in words."""
    store, incoming, elsewhere = Bucket(where), probe_name("archives/"), probe_name("uploads/sh/")
    _ask(store, presign(where, "PUT", incoming, {}, _LIFETIME), "PUT", b"to be read")
    attempts = {
        "read objects": ("GET", incoming, {}),
        "list the bucket": ("GET", "", {"list-type": "2"}),
        "put objects elsewhere": ("PUT", elsewhere, {}),
        "delete objects": ("DELETE", incoming, {}),
    }
    try:
        return [
            words
            for words, (method, key, query) in attempts.items()
            if _ask(store, presign(where.upload_signer, method, key, query, _LIFETIME), method) < 300
        ]
    finally:
        store.delete([incoming, elsewhere])


def _ask(store: Bucket, url: str, method: str, body: bytes | None = None) -> int:
    try:
        return store.http.request(method, url, body=body, redirect=False).status
    except (HTTPError, OSError) as error:
        raise StorageError("checking what the upload identity can do") from error


def cors_names_the_portal() -> CheckResult:
    """Whether the portal's pages may send to storage, and other pages may not."""
    where, origins = settings().storage_settings, page_origins(with_web_address(settings()))
    if not origins:
        return skipped("SLIPWAY_BASE_URL is not set, so the portal's origin is not known. Set it to check CORS.")
    address = f"{where.public_endpoint}/{where.bucket}/{probe_name('staging/')}"
    try:
        unnamed = [origin for origin in origins if not _is_allowed(address, origin)]
        stranger_allowed = _is_allowed(address, _STRANGER)
    except (HTTPError, OSError) as error:
        return skipped(f"{where.public_endpoint} cannot be reached from here: {type(error).__name__}.")
    remedy = f"Name {', '.join(origins)}, and no other, in the CORS rules of the storage (docs/storage.md)."
    if unnamed:
        advice = "" if settings().base_url else f" {_PORT_ADVICE}"
        return failed(f"Storage does not let pages of {', '.join(unnamed)} send files. {remedy}{advice}")
    if stranger_allowed:
        return failed(f"Storage lets pages of every origin send and read. {remedy}")
    return ok(f"Storage lets pages of {', '.join(origins)} send files, and no others.")


def _is_allowed(address: str, origin: str) -> bool:
    """A browser's decision from the answer to its preflight."""
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type",
    }
    answer = urllib3.request("OPTIONS", address, headers=asked, timeout=5, retries=False)
    return answer.status < 300 and answer.headers.get("Access-Control-Allow-Origin") in {origin, "*"}
