"""Rate limits of the APIs: counted per key after it was recognised, so that strangers use nobody's budget."""

from __future__ import annotations

import math

from flask import Response, g

from app.limits import rate_limits

# Limits of the partner API: of any call, of sending a build, and of asking for addresses of its parts.
API_LIMIT, UPLOAD_LIMIT, PARTS_LIMIT = "api", "upload", "parts"


def count_call(rate: str, *who: str, whom: str) -> None:
    """Count one call against `rate` for `who` (the limit's name, then whose call it is). Raises RateLimited, which
    calls the caller `whom`: "this key"."""
    counted = rate_limits.count(rate, *who)
    g.rate_limit = {
        "X-RateLimit-Limit": str(counted.limit),
        "X-RateLimit-Remaining": str(counted.remaining),
        "X-RateLimit-Reset": str(math.ceil(counted.resets_at)),
    }
    counted.require(whom)


def add_headers(response: Response) -> Response:
    """Put the counters of this request on its answer."""
    response.headers.update(g.get("rate_limit", {}))
    return response
