"""Rate limits of the APIs: counted per key after it was recognised, so that strangers use nobody's budget."""

from __future__ import annotations

import math

from flask import Response, g

from app import rates


def count(rate: str, *who: str) -> None:
    """Count one call against `rate` for `who` (the limit's name, then the key). Raises RateLimited."""
    counted = rates.count(rate, *who)
    g.rate_limit = {
        "X-RateLimit-Limit": str(counted.limit),
        "X-RateLimit-Remaining": str(counted.remaining),
        "X-RateLimit-Reset": str(math.ceil(counted.resets_at)),
    }
    counted.require("this key")


def add_headers(response: Response) -> Response:
    """Put the counters of this request on its answer."""
    response.headers.update(g.get("rate_limit", {}))
    return response
