"""CORS for /api/v1, for pages of the origins that API_CORS_ORIGINS names, and for nobody by default (DECISIONS 18).

Tokens travel in a header that a page must set itself, so credentials are never allowed. Errors carry the headers too: a
page that may not read a refusal could only guess.
"""

from __future__ import annotations

from flask import Flask, Response, request

from app.api.error_responses import is_v1_request
from app.config.settings import settings

_METHODS = "GET, POST, DELETE"
_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Request-Id"
_EXPOSED = (
    "ETag, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id, Idempotent-Replayed"
)
_PREFLIGHT_MAX_AGE_SECONDS = 7200  # the most that Chromium takes


def init_app(app: Flask) -> None:
    """Answer preflights before anybody asks for a token, and mark every answer."""
    app.before_request(answer_preflight)
    app.after_request(allow_origin)


def answer_preflight() -> Response | None:
    """What a browser asks before the call itself, without a token."""
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
    """Let a page of a named origin read the answer."""
    if is_v1_request() and settings().api_cors_origins:
        response.vary.add("Origin")  # also where it is not allowed: caches must not mix the two up
        if origin := _allowed_origin():
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
    return response


def _allowed_origin() -> str | None:
    origin = request.headers.get("Origin", "").lower()
    return origin if origin in settings().api_cors_origins else None
