"""The one table from refusals to HTTP, and both envelopes: flat everywhere, nested under /api/v1."""

from __future__ import annotations

import logging

from flask import Response, current_app, jsonify, request
from werkzeug.exceptions import HTTPException

from app.api.envelopes import FLAT, NESTED, Envelope
from app.api.pipeline import Call, declared_call
from app.refusals import (
    ChecksumMismatch,
    Conflict,
    Forbidden,
    IncompleteBody,
    InvalidArchive,
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    QuotaExceeded,
    RateLimited,
    Refusal,
    SlugTaken,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
    UploadInterrupted,
)

log = logging.getLogger(__name__)

REFUSAL_STATUS: dict[type[Refusal], int] = {
    InvalidRequest: 400,
    InvalidArchive: 400,
    ChecksumMismatch: 400,
    IncompleteBody: 400,
    UploadInterrupted: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    SlugTaken: 409,
    Conflict: 409,
    PayloadTooLarge: 413,
    QuotaExceeded: 413,
    UnsupportedMediaType: 415,
    RateLimited: 429,
    Unavailable: 503,
}

_HTTP_CODES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
    503: "service_unavailable",
}


def is_v1_request() -> bool:
    """Whether the present request is one of the assets API's, whose errors are nested."""
    return f"{request.path}/".startswith("/api/v1/")


def is_api_request() -> bool:
    """Whether the present request is answered in JSON, errors too."""
    return request.path == "/api" or request.path.startswith("/api/") or _current_call() is not None


def _current_call() -> Call | None:
    """The declaration of what is asked for, once its view is found."""
    return declared_call(current_app.view_functions.get(request.endpoint or ""))


def _current_envelope() -> Envelope:
    """That of the API which is called; before a view is found, of the one that the path belongs to."""
    if call := _current_call():
        return call.api.envelope
    return NESTED if is_v1_request() else FLAT


def status_of(refusal: Refusal) -> int:
    """The HTTP status of a refusal, also of a subclass."""
    return next((REFUSAL_STATUS[kind] for kind in type(refusal).__mro__ if kind in REFUSAL_STATUS), 400)


def error_response(status: int, code: str, message: str) -> Response:
    """An error in the form its API promises."""
    form = _current_envelope()
    response = jsonify(form.write(code, message))
    response.status_code = form.status(status)
    call = _current_call()
    if status == 401 and (call is None or call.security):  # a browser cannot answer this for its reader
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def refusal_response(refusal: Refusal) -> Response:
    """A refusal as JSON."""
    response = error_response(status_of(refusal), refusal.code, refusal.message)
    if isinstance(refusal, RateLimited | Unavailable):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def http_error_response(error: HTTPException) -> Response:
    """What Flask itself refuses (unknown path, wrong method, body too large) as JSON."""
    status = error.code or 500
    message = {
        404: f"There is nothing at {request.path}. See /api/openapi.json for what there is.",
        405: f"{request.method} is not a method of {request.path}. See /api/openapi.json.",
        413: "The request body is larger than 1 MiB, the most a JSON call takes. Send less.",
    }.get(status, error.description or error.name)
    response = error_response(
        status, _HTTP_CODES.get(status, "invalid_request" if status < 500 else "internal_error"), message
    )
    if status == 405 and (allowed := getattr(error, "valid_methods", None)):
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def unexpected_error_response(request_id: str) -> Response:
    """A fault of ours. The log has the trace under the same request id."""
    return error_response(
        500, "internal_error", f"Something failed on our side. Try again; if it stays, quote request {request_id}."
    )
