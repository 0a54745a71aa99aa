"""Presigned URLs that sign more than the SDK can (AWS Signature Version 4, query form).

The SDK signs only the host, so its presigned PUT accepts any size and any type. Here further headers can be signed:
storage then refuses a request with another `Content-Length` or `Content-Type` (seen: 403).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import SplitResult, quote, urlsplit

from app.config.storage_settings import StorageSettings
from app.data.models.base import now

_ALGORITHM = "AWS4-HMAC-SHA256"


def presign(
    where: StorageSettings,
    method: str,
    key: str,
    query: Mapping[str, str],
    lifetime: timedelta,
    *,
    headers: Mapping[str, str] | None = None,
    endpoint: str | None = None,
    at: datetime | None = None,
) -> str:
    """A URL that allows `method` on `key` (or, with an empty key, on the bucket) for `lifetime`, at most 7 days.

    Clients must send `headers` exactly as given. `endpoint` is another address of the same storage.
    """
    base = urlsplit(endpoint or where.endpoint)
    at = at or now()
    stamp, day = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
    scope = f"{day}/{where.region}/s3/aws4_request"
    host = _host(base)
    signed = {"host": host} | {name.lower(): value.strip() for name, value in (headers or {}).items()}
    names = ";".join(sorted(signed))
    parameters = dict(query) | {
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{where.access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(int(lifetime.total_seconds())),
        "X-Amz-SignedHeaders": names,
    }
    path = f"/{where.bucket}/{quote(key, safe='/-_.~')}" if key else f"/{where.bucket}"
    canonical_query = "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in sorted(parameters.items()))
    canonical_headers = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    request = "\n".join([method, path, canonical_query, canonical_headers, names, "UNSIGNED-PAYLOAD"])
    text = "\n".join([_ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key_bytes = b"AWS4" + where.secret_key.encode()
    for part in (day, where.region, "s3", "aws4_request", text):
        key_bytes = hmac.digest(key_bytes, part.encode(), "sha256")
    return f"{base.scheme}://{host}{path}?{canonical_query}&X-Amz-Signature={key_bytes.hex()}"


def _host(endpoint: SplitResult) -> str:
    """The host as clients send it: without the port that the scheme implies."""
    default = {"http": 80, "https": 443}.get(endpoint.scheme)
    return endpoint.netloc.removesuffix(f":{default}") if endpoint.port == default else endpoint.netloc


def _escaped(text: str) -> str:
    return quote(text, safe="-_.~")
