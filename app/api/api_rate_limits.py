"""Rate limits of the APIs, counted per key. Calls count after authentication, so strangers cannot use up a limit."""

from __future__ import annotations

import math

from flask import Response, g

from app.limits import rate_limits

# Limits of the partner API: for all calls, for sending builds, and for presigned addresses of parts.
API_LIMIT, UPLOAD_LIMIT, PARTS_LIMIT = "api", "upload", "parts"


def count_call(rate: str, *counter: str, caller_label: str) -> None:
    """Count one call against `rate` in `counter` (the limit's name, then the caller's id). Raises RateLimited, whose
    message refers to the caller as `caller_label`: "this key"."""
    counted = rate_limits.count(rate, *counter)
    g.rate_limit = {
        "X-RateLimit-Limit": str(counted.limit),
        "X-RateLimit-Remaining": str(counted.remaining),
        "X-RateLimit-Reset": str(math.ceil(counted.resets_at)),
    }
    counted.require(caller_label)


def refund_call(rate: str, *counter: str) -> None:
    """Undo one `count_call` of the current request."""
    rate_limits.refund(rate, *counter)
    g.rate_limit["X-RateLimit-Remaining"] = str(int(g.rate_limit["X-RateLimit-Remaining"]) + 1)


def add_headers(response: Response) -> Response:
    """Add the rate limit headers of the current request to its response."""
    response.headers.update(g.get("rate_limit", {}))
    return response
