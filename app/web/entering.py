"""Being let in: by a password, or by a link that is good once."""

from __future__ import annotations

from flask import Response, render_template, session
from flask_login import login_user

from app.logs import request_id
from app.models import Member, now
from app.refusals import NotFound
from app.web.formats import Moment


def let_in(member: Member) -> None:
    """Sign them in on this browser. A session from before is never continued: it may be somebody else's, or
    planted."""
    session.clear()
    session.permanent = True
    login_user(member)


def closed_link(heading: str, refusal: NotFound) -> Response:
    """The page behind a link that lets nobody in any more."""
    page = render_template(
        "refusal.html",
        status=404,
        heading=heading,
        message=refusal.message,
        request_id=request_id(),
        at=Moment(now(), "exact"),
    )
    return Response(page, 404)
