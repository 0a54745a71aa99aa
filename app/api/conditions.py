"""If-Match: a change is made only if its object is still as the caller read it (RFC 9110, 13.1.1).

The ETag of an object is that of its GET call. The check runs in the transaction of the change, under the locks that the
API declares: of two changes with the same ETag, one is made and the other gets 412.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import current_app, request

from app.data.database import checked_first
from app.refusals import PreconditionFailed


def require_match(etag: str | None) -> None:
    """412 if the request has If-Match, and it does not name this ETag (with its quotes; None: there is none)."""
    sent = request.headers.get("If-Match")
    if sent is None or _matches(etag):
        return
    if etag is None:
        raise PreconditionFailed(
            f"{request.path} has no ETag, so If-Match cannot match. Leave the header out. Nothing was changed."
        )
    weak = " Weak ETags (W/) never match: a proxy that compresses answers makes them weak." if "W/" in sent else ""
    raise PreconditionFailed(
        f"If-Match is {sent[:100]}, but the ETag of {request.path} is {etag} now: it was changed. Nothing was "
        f"changed by this request. Read it again, then repeat the change with the new ETag.{weak}"
    )


def _matches(etag: str | None) -> bool:
    wanted = request.if_match
    return wanted.star_tag or (etag is not None and wanted.is_strong(etag.strip('"')))


@contextmanager
def only_if_matched(current_etag: Callable[[], str | None], lock: Callable[[], None] | None) -> Iterator[None]:
    """Raise PreconditionFailed before the block, and again when its first write transaction begins. `lock` locks the
    rows that `current_etag` reads; None: they cannot be read in a transaction, so only the first check is made."""
    if "If-Match" not in request.headers:
        yield
        return
    require_match(current_etag())
    if lock is None:
        yield
        return

    def check() -> None:
        lock()
        require_match(current_etag())

    with checked_first(check):
        yield


def path_has_etag() -> str | None:
    """The endpoint of the GET call at the path of the current request, whose answer has the ETag. None if none has."""
    rule = request.url_rule
    for other in current_app.url_map.iter_rules():
        if rule is not None and other.rule == rule.rule and "GET" in (other.methods or ()):
            endpoint: str = other.endpoint
            return endpoint
    return None
