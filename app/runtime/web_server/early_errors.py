"""Errors of requests that never reach the app: too long, not HTTP, too slow. Under /api they have the API's envelope.

A client of the API parses every error as JSON. gunicorn's own errors are small HTML pages.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus

from gunicorn.http import errors

from app.api.envelopes import envelope_at
from app.process.metrics import count_refusal

_TARGET = re.compile(rb"\s*\S* +(?:[A-Za-z][A-Za-z0-9+.-]*://[^/\s]*)?(/[^\s?#]*)")
_OURS = (errors.ConfigurationProblem, errors.InvalidResponseHeader, errors.InvalidResponseHeaderName)
MAX_TARGET = 256  # bytes of a request in which its path is looked for

_CODES = {
    408: "request_timeout",
    414: "uri_too_long",
    417: "expectation_failed",
    431: "headers_too_large",
    503: "service_unavailable",
}
_MESSAGES: tuple[tuple[tuple[type[Exception], ...], int, str], ...] = (
    (
        (errors.LimitRequestLine,),
        414,
        "The address is longer than 4,094 bytes, the limit for a request line. Send less in the query.",
    ),
    (
        (errors.LimitRequestHeaders,),
        431,
        "A header is longer than 8,190 bytes, or there are more than 100. Send fewer or shorter headers.",
    ),
    (
        (errors.InvalidRequestMethod,),
        400,
        "The method is malformed. Methods are written in capitals, such as GET.",
    ),
    ((errors.InvalidHTTPVersion,), 400, "The HTTP version is not supported. Use HTTP/1.1."),
    ((errors.InvalidRequestLine,), 400, "The request line is malformed. It must be: METHOD /path HTTP/1.1."),
    ((errors.InvalidHeaderName, errors.InvalidHeader, errors.ObsoleteFolding), 400, "A header is malformed."),
    ((errors.UnsupportedTransferCoding,), 501, "Transfer-Encoding is not supported, except chunked."),
    ((errors.ExpectationFailed,), 417, "Expect is not supported, except 100-continue."),
)


def path_in(head: bytes) -> str:
    """The path that the beginning of a request names, or "" if it names none."""
    found = _TARGET.match(head[:MAX_TARGET])
    return found[1].decode("latin-1") if found else ""


def describe(error: Exception) -> tuple[int, str] | None:
    """Status and message for an error of gunicorn's parser. None for an error that is not the client's."""
    for kinds, status, message in _MESSAGES:
        if isinstance(error, kinds):
            return status, message
    if isinstance(error, errors.ParseException) and not isinstance(error, _OURS):
        return 400, "The request breaks the rules of HTTP."
    return None


def early_response(head: bytes, status: int, message: str, retry_after: int | None = None) -> bytes:
    """A complete response to a request that begins with `head`. It closes the connection. `retry_after`: seconds."""
    code = _CODES.get(status, "invalid_request" if status < 500 else "internal_error")
    count_refusal(code)
    envelope = envelope_at(path_in(head))
    if envelope is None:
        body, content_type = f"{message}\n".encode(), "text/plain; charset=utf-8"
    else:
        body, content_type = json.dumps(envelope.write(code, message)).encode(), "application/json"
        status = envelope.status(status)
    lines = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Connection: close",
        *((f"Retry-After: {retry_after}",) if retry_after else ()),
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
