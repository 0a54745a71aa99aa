"""Who makes a JSON call from a page: the signed-in member, with the CSRF token of the page in a header."""

from __future__ import annotations

from flask import g, request
from flask_wtf.csrf import validate_csrf
from wtforms.validators import ValidationError

from app.accounts.callers import MemberCaller
from app.accounts.sign_ins import record_seen
from app.refusals import InvalidRequest, Unauthorized
from app.web.frame.current_user import current_sign_in, my_partner, signed_in

_SAFE = {"GET", "HEAD", "OPTIONS"}


def script_caller() -> MemberCaller:
    """The member, looked up anew each time it is called. Raises Unauthorized, InvalidRequest for a missing or foreign
    token, and Forbidden for an operator."""
    g.pop("_login_user", None)  # Flask-Login's, of an earlier look: a session may end while a body is awaited
    member = signed_in()
    if member is None:
        raise Unauthorized("You are not signed in any more. Sign in again, then try again.")
    if request.method not in _SAFE:
        _require_token()
    partner = my_partner()
    record_seen(current_sign_in())
    return MemberCaller(member, partner, request.remote_addr)


def _require_token() -> None:
    try:
        validate_csrf(request.headers.get("X-CSRFToken"))
    except ValidationError:
        raise InvalidRequest(
            "This page is out of date: it is from an earlier session, so nothing was done. Reload it, then try again."
        ) from None
