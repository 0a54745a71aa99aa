"""Being let in, by a password or by a link that is good once, and leaving again."""

from __future__ import annotations

from flask import Response, render_template, request, session
from flask_login import login_user, logout_user

from app.logs import request_id
from app.models import Member, now
from app.partners.sign_ins import begin_sign_in, end_sign_in
from app.refusals import NotFound
from app.web.browser_names import browser_name
from app.web.formats import Moment
from app.web.people import Visit, token_here


def let_in(member: Member) -> None:
    """Sign them in on this browser. A session from before is never continued: it may be somebody else's, or planted."""
    browser = browser_name(request.user_agent.string)
    found, token = begin_sign_in(member, request.remote_addr, browser, replaces=token_here())
    session.clear()
    session.permanent = True
    login_user(Visit(found, found.member, token))


def let_out() -> None:
    """Sign this browser out: its cookie is worth nothing any more, wherever it was copied to."""
    if token := token_here():
        end_sign_in(token)
    logout_user()
    session.clear()


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
