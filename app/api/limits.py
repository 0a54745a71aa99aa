"""Rate limits of the APIs: counted per key after it was recognised, so that strangers use nobody's budget.

Counts are kept in Flask-Limiter's storage (memory, or Redis when there are several processes). Its own decorators count
before a view can authenticate, so its strategy is asked directly; sign-in uses the decorators.
"""

from __future__ import annotations

import math
import time

from flask import Response, g
from limits import parse

from app.extensions import limiter
from app.refusals import RateLimited


def count(rate: str, *who: str) -> None:
    """Count one call against `rate` for `who` (the limit's name, then the key). Raises RateLimited."""
    item = parse(rate)
    allowed = limiter.limiter.hit(item, *who)
    window = limiter.limiter.get_window_stats(item, *who)
    wait = max(1, math.ceil(window.reset_time - time.time()))
    g.rate_limit = {
        "X-RateLimit-Limit": str(item.amount),
        "X-RateLimit-Remaining": str(max(0, window.remaining)),
        "X-RateLimit-Reset": str(math.ceil(window.reset_time)),
    }
    if not allowed:
        raise RateLimited(
            f"More than {rate} for this key. Wait {wait} seconds (Retry-After), then go on; "
            "refused calls do not lengthen the wait.",
            wait,
        )


def add_headers(response: Response) -> Response:
    """Put the counters of this request on its answer."""
    response.headers.update(g.get("rate_limit", {}))
    return response
