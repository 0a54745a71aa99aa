"""Failures as pages: what happened, what to do, the request to quote."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.data.extensions import db
from app.web.accounts import sign_in
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.conftest import Cast

pytestmark = ONE_DATABASE


def test_an_unknown_page_leads_back(owner: Visitor, visitor: Visitor) -> None:
    answer = owner.get("/nowhere")
    assert answer.status_code == 404
    assert "No page at this address" in answer.text
    assert "All games" in answer.text
    assert answer.headers["X-Request-Id"] in answer.text
    signed_out = visitor.get("/nowhere")
    assert signed_out.status_code == 404
    assert "Sign in" in signed_out.text


def test_a_wrong_method_says_so(owner: Visitor) -> None:
    answer = owner.get("/theme")
    assert answer.status_code == 405
    assert "/theme does not accept GET" in answer.text


def test_a_body_that_is_too_large_is_refused(owner: Visitor) -> None:
    answer = owner.post("/theme", {"theme": "x" * 2_000_000})
    assert answer.status_code == 413


def test_a_fragment_gets_a_line_instead_of_a_page(owner: Visitor) -> None:
    answer = owner.get("/games/nowhere/matrix", headers=HTMX)
    assert (answer.status_code, answer.mimetype) == (404, "text/plain")
    assert "No game with slug 'nowhere'" in answer.text


def test_a_fault_of_ours_is_a_page_with_the_request_to_quote(
    app: Flask, visitor: Visitor, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(sign_in, "accounts_for", fail)
    app.testing = False
    answer = visitor.sign_in(cast.starlight.owner)
    assert answer.status_code == 500
    assert "Something failed on our side" in answer.text
    assert answer.headers["X-Request-Id"] in answer.text
    assert "a bug" not in answer.text
    assert answer.headers["Content-Security-Policy"]


def test_the_page_of_a_fault_needs_no_database(app: Flask, owner: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OperationalError("SELECT", {}, Exception("no database"))

    app.testing = False
    monkeypatch.setattr(db.session, "get", unreachable)
    monkeypatch.setattr(db.session, "scalar", unreachable)
    answer = owner.get("/games")
    assert answer.status_code == 500
    assert "Something failed on our side" in answer.text
