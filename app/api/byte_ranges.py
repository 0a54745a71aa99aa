"""Responses with a range of the bytes of a stored object."""

from __future__ import annotations

from flask import Response, request
from werkzeug.datastructures import ContentRange


def requested_range(size: int, etag: str) -> tuple[int, int] | tuple[()] | None:
    """First and last byte of the requested range; () for a range outside the object; None for the complete object, also
    when several ranges are requested (RFC 9110 section 14.2 allows it). `etag` is without quotes."""
    requested = request.range
    if requested is None or requested.units != "bytes" or len(requested.ranges) != 1:
        return None
    # A date or a weak validator does not prove that the bytes are the same.
    if request.headers.get("If-Range", f'"{etag}"') != f'"{etag}"':
        return None
    first, _ = requested.ranges[0]
    if first < 0 and size:
        return max(0, size + first), size - 1  # the last bytes; more than there are means all (RFC 9110 section 14.1.2)
    span = requested.range_for_length(size)
    return (span[0], span[1] - 1) if span else ()


def set_range(response: Response, size: int, span: tuple[int, int] | None) -> None:
    """Set status, length and range of a response with the bytes of `span`, or with all bytes."""
    if span:
        response.status_code = 206
        response.content_range = ContentRange("bytes", span[0], span[1] + 1, size)
    response.content_length = span[1] - span[0] + 1 if span else size
