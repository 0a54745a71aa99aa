"""Authentication of JSON calls from pages: the signed-in member, with the page's CSRF token in a header."""

from __future__ import annotations

from flask import request
from flask_wtf.csrf import validate_csrf
from wtforms.validators import ValidationError

from app.accounts.callers import MemberCaller
from app.accounts.sign_ins import record_seen
from app.refusals import InvalidRequest, Unauthorized
from app.web.frame.current_user import current_sign_in, forget_cached_user, my_partner, signed_in_member

_SAFE = {"GET", "HEAD", "OPTIONS"}


def script_caller() -> MemberCaller:
    """The member, looked up again on each call. Raises Unauthorized, InvalidRequest for a missing or wrong token, and
    Forbidden for an operator."""
    forget_cached_user()
    member = signed_in_member()
    if member is None:
        raise Unauthorized("You are no longer signed in. Sign in again, then try again.")
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
