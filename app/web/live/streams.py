"""Live parts made and on their way: a fragment for pages that poll, an event stream for those that listen."""

from __future__ import annotations

from flask import Response, request

from app.data.database import free_connection
from app.limits import thread_budgets
from app.refusals import NotFound
from app.web.live.live_parts import Rendered, Subject, live_parts
from app.web.live.stream_guard import reader


def present(subject: Subject, gone: str) -> Rendered:
    """The parts as of now; the request's database connection is given back first. Raises NotFound, saying `gone`."""
    free_connection()
    found = live_parts().of(subject)
    if found is None:
        raise NotFound(gone)
    return found


def fragment(subject: Subject, gone: str) -> Response:
    """The parts for a poll. 304 when the page has them already."""
    found = present(subject, gone)
    if request.headers.get("If-None-Match") == found.etag:
        return Response(status=304, headers={"ETag": found.etag})
    return Response(found.fragment(), headers={"ETag": found.etag})


def stream(subject: Subject) -> Response:
    """The parts as server-sent events. 503 when all streams are taken: the page polls instead."""
    seen = request.headers.get("Last-Event-ID") or request.args.get("seen")
    thread_budgets.streams.acquire()
    try:
        present_reader = reader()
        free_connection()
        body = live_parts().stream_of(subject, seen, present_reader.stays, present_reader.sign_in_id)
        response = Response(body, mimetype="text/event-stream")
    except BaseException:
        thread_budgets.streams.free()
        raise
    # Not in the generator: one that was never begun runs no `finally`.
    response.call_on_close(present_reader.leave)
    response.call_on_close(thread_budgets.streams.free)
    response.headers.update({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    return response
