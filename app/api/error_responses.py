"""Errors of the APIs as JSON responses: the HTTP status of each refusal, in the envelope of the API that was called."""

from __future__ import annotations

import logging

from flask import Response, current_app, jsonify, request
from werkzeug.exceptions import HTTPException

from app.api.envelopes import FLAT, NESTED, Envelope, envelope_at
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
    PreconditionFailed,
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
    PreconditionFailed: 412,
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
    """Whether the current request is for the assets API, whose errors are nested."""
    return envelope_at(request.path) is NESTED


def is_api_request() -> bool:
    """Whether the current request gets JSON, also for errors."""
    return envelope_at(request.path) is not None or _current_call() is not None


def _current_call() -> Call | None:
    """The declared call of the current request, or None before its view is found."""
    return declared_call(current_app.view_functions.get(request.endpoint or ""))


def _current_envelope() -> Envelope:
    """The envelope of the API that is called. Before a view is found, the path decides."""
    if call := _current_call():
        return call.api.envelope
    return envelope_at(request.path) or FLAT


def status_of(refusal: Refusal) -> int:
    """The HTTP status of a refusal. A subclass has that of its base class."""
    return next((REFUSAL_STATUS[kind] for kind in type(refusal).__mro__ if kind in REFUSAL_STATUS), 400)


def error_response(status: int, code: str, message: str) -> Response:
    """An error in the envelope of the API that is called."""
    envelope = _current_envelope()
    response = jsonify(envelope.write(code, message))
    response.status_code = envelope.status(status)
    call = _current_call()
    if status == 401 and (
        call is None or call.security
    ):  # not for scripts of the dashboard: browsers cannot send a token
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def refusal_response(refusal: Refusal) -> Response:
    """A refusal as JSON."""
    response = error_response(status_of(refusal), refusal.code, refusal.message)
    if isinstance(refusal, RateLimited | Unavailable):
        response.headers["Retry-After"] = str(refusal.retry_after)
    if isinstance(refusal, UnsupportedMediaType):
        response.headers.update(refusal.accepted)
    return response


def http_error_code(status: int) -> str:
    """The code of an error that Flask raised."""
    return _HTTP_CODES.get(status, "invalid_request" if status < 500 else "internal_error")


def http_error_response(error: HTTPException) -> Response:
    """An error that Flask raised (unknown path, wrong method, body too large) as JSON."""
    status = error.code or 500
    message = {
        404: f"There is nothing at {request.path}. /api/openapi.json lists all calls.",
        405: f"{request.path} does not support {request.method}. /api/openapi.json lists all calls.",
        413: "The request body is larger than 1 MiB, the limit for JSON. Send less.",
    }.get(status, error.description or error.name)
    response = error_response(status, http_error_code(status), message)
    if status == 405 and (allowed := getattr(error, "valid_methods", None)):
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def describe_redirect(response: Response) -> Response:
    """The redirect of a path with repeated slashes, with a JSON body. Flask's own is HTML."""
    if response.status_code == 308 and is_api_request():
        message = f"{request.path} has repeated slashes. Use {response.headers['Location']}"
        response.set_data(jsonify(_current_envelope().write("moved", message)).get_data())
        response.mimetype = "application/json"
    return response


def unexpected_error_response(request_id: str) -> Response:
    """An internal error. The log has the traceback under the same request id."""
    return error_response(
        500,
        "internal_error",
        f"Something failed on our side. Try again. If it fails again, report request {request_id}.",
    )
