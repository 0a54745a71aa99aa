"""Responses with live parts: fragments for pages that poll, and event streams.

A page names the role for which it was rendered (`?as_role=`, of parts/live.html). If its member has another role by
now, it is refused with 403. Then it reloads, and has the buttons of the new role.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from flask import Blueprint, Response, flash, request

from app.data.database import free_connection
from app.data.models.partner import Member
from app.limits import thread_budgets
from app.limits.slots import Owner
from app.refusals import Forbidden, NotFound
from app.web.frame.current_user import me
from app.web.live.live_parts import RenderedParts, Share, Subject, live_parts
from app.web.live.shared_streams import SharedStream, shared_streams
from app.web.live.stream_guard import StreamReader, stream_reader

MAX_STREAMS_OF_MEMBER = 50  # pages that one member has open at the same time


def add_live_views(pages: Blueprint, path: str, subject_of: Callable[..., Subject], *, poll: str = "parts") -> None:
    """Add what keeps the page at `path` live: its parts for polls, at `path/parts` with the endpoint `parts` (or the
    word in `poll`), and its stream, at `path/live` with the endpoint `live`. `subject_of` takes the variables of the
    path, and raises NotFound for what the reader may not see."""

    def parts(**names: str | int) -> Response:
        return poll_response(subject_of(**names))

    def live(**names: str | int) -> Response:
        return stream_response(subject_of(**names))

    pages.add_url_rule(f"{path}/{poll}", poll, parts)
    pages.add_url_rule(f"{path}/live", "live", live)


def current_parts(subject: Subject) -> RenderedParts:
    """The current parts. Frees the request's database connection. Raises NotFound if the object is deleted."""
    free_connection()
    found = live_parts().of(subject)
    if found is None:
        raise NotFound(subject.gone)
    return found


def poll_response(subject: Subject) -> Response:
    """The parts for a poll. 304 if the page already has them. Raises Forbidden for a page of an old role."""
    if changed := _changed_role():
        flash(changed.removesuffix("."))  # on the page that is loaded instead
        raise Forbidden(changed)
    found = current_parts(subject)
    if request.headers.get("If-None-Match") == found.etag:
        return Response(status=304, headers={"ETag": found.etag})
    return Response(found.fragment(), headers={"ETag": found.etag})


def stream_response(subject: Subject) -> Response:
    """The parts as server-sent events. 503 if there are too many streams, of this member, of their partner or of all:
    the page polls instead. Raises Forbidden for a page of an old role, which then polls, and NotFound instead of an
    empty stream."""
    if changed := _changed_role():
        raise Forbidden(changed)
    current_parts(subject)
    seen = request.headers.get("Last-Event-ID") or request.args.get("seen")
    owners = _owners(me())
    thread_budgets.streams.acquire(*owners)
    try:
        reader = stream_reader()
        free_connection()
        body = live_parts().stream_of(subject, seen, reader.stays, reader.visit.name, _share(subject, reader))
        response = Response(body, mimetype="text/event-stream")
    except BaseException:
        thread_budgets.streams.free(*owners)
        raise
    # Not in the generator: a generator that never started does not run its `finally`.
    response.call_on_close(reader.leave)
    response.call_on_close(partial(thread_budgets.streams.free, *owners))
    response.headers.update({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    return response


def _owners(member: Member) -> tuple[Owner, ...]:
    """Whose shares of the streams a stream of this member uses. Operators have one together, like a partner."""
    own = Owner(f"member {member.id}", "Your account", "account", MAX_STREAMS_OF_MEMBER)
    if member.partner_id is None:
        return own, Owner("operators", "The group of operators", "group")
    return own, Owner.partner(member.partner_id, "Your partner")


def _changed_role() -> str:
    """What to tell a member whose page was rendered for another role, or ""."""
    role = me().role
    return f"Your role was changed. It is now {role}." if request.args.get("as_role", role) != role else ""


def _share(subject: Subject, reader: StreamReader) -> Share | None:
    """How this request's stream is shared. None if the web server cannot hold its connection without a thread."""
    hold_stream = request.environ.get("slipway.hold_stream")
    if hold_stream is None:
        return None
    streams = shared_streams()

    def share(seen: RenderedParts, ends_at: float) -> SharedStream:
        stream = SharedStream(seen, reader.stays, reader.visit.name, ends_at)
        hold_stream(lambda client: streams.join(subject, stream, client))
        return stream

    return share
