"""Visitors: people at a browser without a script, with their own cookies, and CSRF on."""

from __future__ import annotations

import contextvars
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.data.extensions import db
from app.data.models.partner import Member
from app.fleet.servers import add_server
from app.web.frame.static_files import bundle
from tests.conftest import CAST, PASSWORD, Cast
from tests.signed_in_browsers import begin_session, csrf_token

# For tests of pages that ask the database nothing of their own: SQLite is enough.
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# Requests as the htmx of a page makes them.
HTMX = {"HX-Request": "true"}
BOOSTED = HTMX | {"HX-Boosted": "true"}


class Visitor:
    """One browser. Each request runs in a context of its own, as in a server: the test's app context would otherwise
    lend it its session, and with it whoever was signed in before."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **options: Any) -> TestResponse:
        return contextvars.Context().run(self.client.get, path, **options)

    def post(
        self, path: str, data: dict[str, Any] | None = None, *, token: bool = True, **options: Any
    ) -> TestResponse:
        """Send a form, with the CSRF token of a page seen before."""
        sent = dict(data or {})
        if token:
            sent["csrf_token"] = self.token()
        return contextvars.Context().run(self.client.post, path, data=sent, **options)

    def send(self, method: str, path: str, **options: Any) -> TestResponse:
        """Any request, without a token."""
        return contextvars.Context().run(self.client.open, path, method=method, **options)

    def token(self) -> str:
        """The CSRF token that this browser's pages contain. Only a browser without a session opens one to read it."""
        if known := csrf_token(self.client):
            return known
        page = self.get("/sign-in", follow_redirects=True)
        found = re.search(r'name="csrf-token" content="([^"]+)"', page.text)
        assert found, page.text
        return found[1]

    def sign_in(self, email: str, password: str = PASSWORD, **more: str) -> TestResponse:
        return self.post("/sign-in", {"email": email, "password": password, **more})


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """The bundle must be there: say so once, instead of failing in every page."""
    bundle.names()


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    """Somebody who is not signed in."""
    return Visitor(app.test_client())


@pytest.fixture
def signed_in(app: Flask) -> Callable[[str], Visitor]:
    """`signed_in(email)`: a browser of this member. The form is tested in tests/app/web/accounts."""

    def enter(email: str) -> Visitor:
        visitor = Visitor(app.test_client())
        member_id = db.session.scalar(select(Member.id).where(Member.email == email))
        assert member_id, email
        begin_session(app, visitor.client, member_id)
        return visitor

    return enter


@pytest.fixture
def owner(cast: Cast, signed_in: Callable[[str], Visitor]) -> Visitor:
    return signed_in(cast.starlight.owner)


@pytest.fixture
def viewer(cast: Cast, signed_in: Callable[[str], Visitor]) -> Visitor:
    return signed_in(cast.starlight.viewer)


@pytest.fixture
def stranger(cast: Cast, signed_in: Callable[[str], Visitor]) -> Visitor:
    """The owner of another partner."""
    return signed_in(cast.moonbase.owner)


@pytest.fixture
def six_servers(cast: Cast) -> list[str]:
    """The cast's three servers and three more."""
    for server, region in (("srv-04", "sin"), ("srv-05", "sin"), ("srv-06", "iad")):
        add_server(server, region, CAST)
    return [f"srv-0{number}" for number in range(1, 7)]
