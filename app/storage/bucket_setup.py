"""Prepares the bucket of a new installation: makes it, and sets its CORS rule."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from xml.sax.saxutils import escape

from urllib3.exceptions import HTTPError

from app.config.settings import Settings
from app.config.storage_settings import StorageSettings
from app.process.check_result import CheckResult, failed, ok, skipped
from app.storage.bucket import Bucket
from app.storage.cors import page_origins
from app.storage.url_signing import presign

_LIFETIME = timedelta(minutes=5)


def make_bucket(where: StorageSettings) -> CheckResult:
    """Make the bucket unless it exists. Raises StorageError."""
    Bucket(where).make()
    return ok(f"The bucket '{where.bucket}' exists at {where.endpoint}.")


def set_cors(own: Settings) -> CheckResult:
    """Let the portal's pages, and no others, send to the bucket and read from it (docs/storage.md)."""
    where, origins = own.storage_settings, page_origins(own)
    if not origins:
        return skipped("SLIPWAY_BASE_URL is not set, so the portal's origin is not known.")
    named = "".join(f"<AllowedOrigin>{escape(origin)}</AllowedOrigin>" for origin in origins)
    rule = f"{named}<AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod>"
    header = "<AllowedHeader>Content-Type</AllowedHeader>"
    body = f"<CORSConfiguration><CORSRule>{rule}{header}</CORSRule></CORSConfiguration>".encode()
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()  # AWS insists on it
    url = presign(where, "PUT", "", {"cors": ""}, _LIFETIME)
    try:
        answer = Bucket(where).http.request("PUT", url, body=body, headers={"Content-MD5": digest}, redirect=False)
    except (HTTPError, OSError) as error:
        return failed(f"{where.endpoint} did not answer ({type(error).__name__}).")
    if answer.status == 501:
        return skipped(
            "This storage has no CORS rules for buckets, as MinIO. Set its own option (docs/storage.md), and let the "
            "doctor check it."
        )
    if answer.status not in {200, 204}:
        return failed(f"Storage answered {answer.status} to the CORS rule. Set it by hand (docs/storage.md).")
    return ok(f"Pages of {', '.join(origins)} may send files, and no others.")
