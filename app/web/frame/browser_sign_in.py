"""Signing a browser in and out, and the page for links that no longer work."""

from __future__ import annotations

import json

from flask import Response, current_app, g, render_template, request, session
from flask_login import login_user, logout_user
from flask_wtf.csrf import generate_csrf

from app.accounts.sign_ins import begin_sign_in, end_sign_in
from app.data.models.base import now
from app.data.models.partner import Member
from app.process.logs import request_id
from app.process.metrics import count_refusal
from app.refusals import NotFound
from app.web.accounts.browser_names import browser_name
from app.web.frame.current_user import SignedInUser, sign_in_token
from app.web.frame.formats import Moment


def sign_in_browser(member: Member) -> None:
    """Sign a member in on this browser. An earlier session never continues: it may be somebody else's, or planted."""
    browser = browser_name(request.user_agent.string)
    found, token = begin_sign_in(member, request.remote_addr, browser, replaces=sign_in_token())
    session.clear()
    g.pop(current_app.config["WTF_CSRF_FIELD_NAME"], None)  # where Flask-WTF keeps the token of the earlier session
    session.permanent = True
    login_user(SignedInUser(found, found.member, token))


def sign_out_browser() -> None:
    """Sign this browser out. The sign-in ends on the server too, so copies of its cookie stop working."""
    if token := sign_in_token():
        end_sign_in(token)
    logout_user()
    session.clear()


def closed_link_page(heading: str, refusal: NotFound) -> Response:
    """404 for an invitation or password link that has expired or was used."""
    count_refusal(refusal.code)
    page = render_template(
        "frame/refusal.html",
        status=404,
        heading=heading,
        message=refusal.message,
        request_id=request_id(),
        at=Moment(now(), "exact"),
    )
    return Response(page, 404)


def session_renewed(member: Member | None) -> dict[str, str]:
    """A header that tells the page behind a request of the script who is signed in now, and the CSRF token of this
    session (js/frame/sign-in-again.js)."""
    renewed = {"token": generate_csrf(), "member": member.id if member else ""}
    return {"HX-Trigger": json.dumps({"session-renewed": renewed})}
