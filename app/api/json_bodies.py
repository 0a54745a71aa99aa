"""The bytes of a JSON body: which content types and encodings are accepted, and how they are decoded."""

from __future__ import annotations

import zlib
from collections.abc import Set

from flask import request

from app.config.settings import MIB
from app.refusals import InvalidRequest, PayloadTooLarge, UnsupportedMediaType

MAX_JSON_BYTES = MIB  # before and after decoding
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"  # RFC 7396: its rules are those of our PATCH calls
_GZIP = frozenset({"gzip", "x-gzip"})
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some editors and PowerShell begin UTF-8 with it
_OTHER_UNICODE = (b"\xff\xfe", b"\xfe\xff")  # the marks of UTF-16 and UTF-32


def accepted_types(method: str) -> tuple[str, ...]:
    """The content types that a JSON call with this method accepts."""
    return (JSON, MERGE_PATCH) if method == "PATCH" else (JSON,)


def require_json(accepted: Set[str]) -> None:
    """415 for a content type that is not in `accepted` (empty: any), and for an encoding other than gzip. A request
    without a content type is JSON."""
    if accepted and request.mimetype and request.mimetype not in accepted:
        raise UnsupportedMediaType(
            f"The body is {request.mimetype}, but this call needs JSON. Send it with `Content-Type: application/json`.",
            {"Accept-Patch": ", ".join(sorted(accepted))} if request.method == "PATCH" else {},
        )
    encoding = content_encoding()
    if encoding and encoding not in _GZIP:
        raise UnsupportedMediaType(
            f"The body is encoded with {encoding[:40]!r}. Send it plain, or with `Content-Encoding: gzip`.",
            {"Accept-Encoding": "gzip, identity"},
        )


def content_encoding() -> str:
    """The Content-Encoding of the request in lower case; "" for a body that is not encoded."""
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding


def read_json_body() -> bytes:
    """The body as UTF-8 JSON text, without gzip and byte order mark. Raises InvalidRequest and PayloadTooLarge."""
    body = request.get_data(cache=False)
    if content_encoding() in _GZIP:
        body = _gunzip(body)
    if body.startswith(_OTHER_UNICODE):
        raise InvalidRequest("The body is UTF-16 or UTF-32. Send JSON as UTF-8.")
    return body.removeprefix(_BYTE_ORDER_MARK)


def _gunzip(body: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        data = stream.decompress(body, MAX_JSON_BYTES + 1)
    except zlib.error:
        raise InvalidRequest(
            "Content-Encoding is gzip, but the body is not gzip. Compress it, or leave the header out."
        ) from None
    if len(data) > MAX_JSON_BYTES:
        raise PayloadTooLarge(
            "The request body is larger than 1 MiB after decompression, the limit for JSON. Send less."
        )
    if not stream.eof:
        raise InvalidRequest("The gzip body ends too early. Send all of it.")
    if stream.unused_data:
        raise InvalidRequest("There is data after the end of the gzip body. Send one gzip member.")
    return data
