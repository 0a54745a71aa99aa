"""Headers of the OpenAPI document: those that calls accept, and those of their responses."""

from __future__ import annotations

from typing import Any

from app.api.pipeline import Call

Schema = dict[str, Any]

_NUMBER = {"type": "integer", "minimum": 0}
_ETAG = {"type": "string", "pattern": r'^(W/)?"[^"]*"$'}


def _header(description: str, schema: Schema, example: Any) -> Schema:
    return {"description": description, "schema": schema, "example": example}


HEADERS: dict[str, Schema] = {
    "X-Request-Id": _header(
        "Names the request in our log. Yours, if you sent one.", {"type": "string"}, "6f1c2a9e0b7d4c35"
    ),
    "X-RateLimit-Limit": _header("Calls that the limit allows.", _NUMBER, 100),
    "X-RateLimit-Remaining": _header("Calls that are left.", _NUMBER, 97),
    "X-RateLimit-Reset": _header("When all calls are allowed again, in seconds since 1970.", _NUMBER, 1772366460),
    "Retry-After": _header("Seconds to wait before the next try.", _NUMBER, 12),
    "ETag": _header("The version of the object. Send it as If-Match or If-None-Match.", _ETAG, '"0f3a9c"'),
    "Cache-Control": _header("`no-store` on a response with a secret.", {"type": "string"}, "private, no-cache"),
    "Idempotent-Replayed": _header(
        "Only on the response to a repeated Idempotency-Key.", {"type": "string", "const": "true"}, "true"
    ),
    "WWW-Authenticate": _header("How to authenticate.", {"type": "string"}, "Bearer"),
    "Accept-Encoding": _header(
        "The encodings of a body that are accepted, if it had another.", {"type": "string"}, "gzip, identity"
    ),
    "Accept-Patch": _header(
        "The content types that PATCH accepts, if the body had another.", {"type": "string"}, "application/json"
    ),
    "Accept-Ranges": _header("Ranges of bytes can be requested.", {"type": "string", "const": "bytes"}, "bytes"),
    "Content-Range": _header("The bytes that were sent, and of how many.", {"type": "string"}, "bytes 0-99/524288000"),
    "Content-Disposition": _header(
        "The name of the file.", {"type": "string"}, 'attachment; filename="paper-lanterns-8.tar.gz"'
    ),
}


def _parameter(name: str, description: str, schema: Schema, example: Any) -> Schema:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": schema,
        "example": example,
    }


_IF_MATCH = _parameter(
    "If-Match",
    "Make the change only if the object still has this ETag, otherwise 412.",
    {"type": "string"},
    '"0f3a9c"',
)
_IF_NONE_MATCH = _parameter(
    "If-None-Match",
    "Answer 304 without a body if the object still has this ETag.",
    {"type": "string"},
    '"0f3a9c"',
)
_IDEMPOTENCY_KEY = _parameter(
    "Idempotency-Key",
    "A new text for each request, such as a UUID. For 24 hours, a repetition with the same text gets the response of "
    "the first request and changes nothing again.",
    {"type": "string", "pattern": "^[ -~]{1,255}$"},
    "3f0c6b1e-5a52-4d3c-9f7e-2b8f6f0a1c11",
)
_CHECKSUM = _parameter(
    "X-Checksum-Sha256",
    "The SHA-256 of the archive. If it does not match the bytes that arrive, nothing is kept.",
    {"type": "string", "pattern": "^(sha256:)?[0-9a-fA-F]{64}$"},
    "6cdfa80e35c0ee72bb6fa8c2dd2f2f3f8a9d9c5a9c7f3b9a0e1d7f6c5b4a3928",
)
_RANGE = _parameter("Range", "The bytes to send.", {"type": "string"}, "bytes=1048576-")


def header_parameters(call: Call, method: str, *, has_etag: bool) -> list[Schema]:
    """The request headers of a call. `has_etag`: whether a GET of its path has an ETag."""
    found = [_IDEMPOTENCY_KEY] if call.api.idempotent and method == "POST" else []
    if method == "GET":
        found += [_IF_NONE_MATCH]
    elif has_etag and call.api.lock:
        found += [_IF_MATCH]
    if call.takes_checksum:
        found += [_CHECKSUM]
    if call.raw_response:
        found += [_RANGE]
    return found


def response_headers(call: Call, method: str, status: int) -> dict[str, Schema]:
    """The headers of a response as references."""
    names = ["X-Request-Id"]
    if call.limit and status not in {401, 500, 502}:
        names += ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]
    if status in {429, 502, 503}:
        names += ["Retry-After"]
    if status in {200, 206, 304} and method in {"GET", "PATCH"}:
        names += ["ETag"]
    if status < 400:
        names += ["Cache-Control"]
    if status < 300 and method == "POST" and call.api.idempotent:
        names += ["Idempotent-Replayed"]
    if status == 401:
        names += ["WWW-Authenticate"]
    if status == 415:
        names += ["Accept-Encoding"] + (["Accept-Patch"] if method == "PATCH" else [])
    if call.raw_response and status in {200, 206}:
        names += ["Accept-Ranges", "Content-Disposition"]
    if call.raw_response and status in {206, 416}:
        names += ["Content-Range"]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
