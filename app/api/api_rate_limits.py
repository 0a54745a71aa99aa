"""Rate limits of the APIs, counted per key. Calls count after authentication, so strangers cannot use up a limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, g

from app.config.settings import Settings
from app.limits import rate_limits

# Limits of the partner API: for all calls, for sending builds, and for presigned addresses of parts.
API_LIMIT, UPLOAD_LIMIT, PARTS_LIMIT = "api", "upload", "parts"


@dataclass(frozen=True)
class Limit:
    """`noun`: what the limit counts, in messages ("upload"). `rate` reads it from the settings ("10 per hour")."""

    noun: str
    rate: Callable[[Settings], str]


def count_call(rate: str, *counter: str, noun: str, caller_label: str) -> None:
    """Count one call against `rate` in `counter` (the limit's name, then the caller's id). Raises RateLimited, whose
    message names what is counted (`noun`: "upload") and refers to the caller as `caller_label`: "this key"."""
    counted = rate_limits.count(rate, *counter)
    g.rate_limit = {
        "X-RateLimit-Limit": str(counted.limit),
        "X-RateLimit-Remaining": str(counted.remaining),
        "X-RateLimit-Reset": str(math.ceil(counted.resets_at)),
    }
    counted.require(noun, caller_label)


def refund_call(rate: str, *counter: str) -> None:
    """Undo one `count_call` of the current request."""
    rate_limits.refund(rate, *counter)
    del g.rate_limit


def add_headers(response: Response) -> Response:
    """Add the rate limit headers of the current request to its response."""
    response.headers.update(g.get("rate_limit", {}))
    return response
