"""Counts every request by its route, and the time until its response begins."""

from __future__ import annotations

import time
from functools import cache

from flask import Flask, Response, g, request
from prometheus_client import Counter, Histogram

from app.process.metrics import REQUEST_SECONDS, REQUESTS

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
NO_ROUTE = "none"  # no page or call has this path


def init_app(app: Flask) -> None:
    """Call it before other code registers handlers, so that their time counts."""
    app.before_request(_begin)
    app.after_request(_count)


def _begin() -> None:
    g.request_began = time.perf_counter()


def _count(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else NO_ROUTE
    method = request.method if request.method in _METHODS else "other"
    count, seconds = _series(method, route, response.status_code)
    count.inc()
    if "request_began" in g:
        seconds.observe(time.perf_counter() - g.request_began)
    return response


@cache  # the labels take few values, and finding their series takes longer than counting
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(method, route, status), REQUEST_SECONDS.labels(method, route)
