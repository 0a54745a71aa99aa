"""Signing in without the form: finds the account for a password, and creates signed-in browsers."""

from __future__ import annotations

import re

import urllib3
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer

from app.accounts.passwords import accounts_for
from app.accounts.sign_ins import begin_sign_in, sign_in_of
from app.data.extensions import db
from app.data.models.partner import Member

ADDRESS = "192.0.2.1"


def find_account(email: str, password: str, address: str = ADDRESS) -> Member | None:
    """The only account with this e-mail address and password, or None."""
    found = accounts_for(email, password, address)
    assert len(found) < 2
    return found[0] if found else None


def sign_in_browser(member: Member, address: str = ADDRESS) -> str:
    """Sign the member in from another browser. Returns the token of its cookie."""
    return begin_sign_in(member, address, "Firefox on Linux")[1]


def sign_in_by_form(http: urllib3.PoolManager, address: str, email: str, password: str) -> str:
    """The Set-Cookie header of somebody who sends the form of the server at `address`."""
    page = http.request("GET", f"{address}/sign-in")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.data.decode())
    assert token
    answer = http.request_encode_body(
        "POST",
        f"{address}/sign-in",
        fields={"email": email, "password": password, "csrf_token": token[1]},
        encode_multipart=False,
        headers={"Cookie": page.headers["Set-Cookie"].partition(";")[0]},
    )
    assert answer.status == 303, re.sub(r"<[^>]*>|\s+", " ", answer.data.decode())
    return answer.headers["Set-Cookie"]


def is_signed_in(token: str) -> bool:
    return sign_in_of(token) is not None


def begin_session(app: Flask, client: FlaskClient, member_id: str | None) -> str:
    """Give the client a session, a member's or nobody's. Returns its CSRF token."""
    with client.session_transaction() as session:
        session["csrf_token"] = "csrf"
        if member_id:
            db.session.rollback()
            session["_user_id"] = sign_in_browser(db.session.get_one(Member, member_id), "127.0.0.1")
            session["_fresh"] = True
            session.permanent = True
    return _signed(app, "csrf")


def csrf_token(client: FlaskClient) -> str | None:
    """The token that pages contain in this client's session. None without a session."""
    app: Flask = client.application
    cookie = client.get_cookie(app.config["SESSION_COOKIE_NAME"])
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    if cookie is None or serializer is None:
        return None
    known = serializer.loads(cookie.value).get("csrf_token")
    return _signed(app, known) if known else None


def _signed(app: Flask, token: str) -> str:
    return str(URLSafeTimedSerializer(app.secret_key or "", salt="wtf-csrf-token").dumps(token))
