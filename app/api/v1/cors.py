"""CORS for /api/v1. Only origins in API_CORS_ORIGINS are allowed; by default there are none (DECISIONS 18).

Pages send the token in a header that they set themselves, so credentials are never allowed. Error responses have the
headers too, so that pages can read them.
"""

from __future__ import annotations

from flask import Flask, Response, request

from app.api.error_responses import is_v1_request
from app.config.settings import settings

_METHODS = "GET, POST, DELETE"
_HEADERS = "Authorization, Content-Encoding, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id"
_EXPOSED = (
    "ETag, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id, Idempotent-Replayed"
)
_PREFLIGHT_MAX_AGE_SECONDS = 7200  # the maximum in Chromium


def init_app(app: Flask) -> None:
    """Answer preflight requests before authentication, and add the headers to every response."""
    app.before_request(answer_preflight)
    app.after_request(allow_origin)


def answer_preflight() -> Response | None:
    """Answer a preflight request, which has no token. None for any other request."""
    if request.method != "OPTIONS" or not is_v1_request() or "Access-Control-Request-Method" not in request.headers:
        return None
    response = Response(status=204)
    response.headers.pop("Content-Type", None)
    if _allowed_origin():
        response.headers["Access-Control-Allow-Methods"] = _METHODS
        response.headers["Access-Control-Allow-Headers"] = _HEADERS
        response.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_MAX_AGE_SECONDS)
    return response


def allow_origin(response: Response) -> Response:
    """Let pages of allowed origins read the response."""
    if is_v1_request() and settings().api_cors_origins:
        response.vary.add("Origin")  # also when not allowed: caches must not mix the two
        if origin := _allowed_origin():
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
    return response


def _allowed_origin() -> str | None:
    origin = request.headers.get("Origin", "").lower()
    return origin if origin in settings().api_cors_origins else None
