"""Forgotten passwords: an owner or an operator makes a link; its page sets a new one."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.accounts.password_links import link_for_member
from app.data.extensions import db
from app.data.models.partner import Member, Partner
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.reading import errors, number, plain, shown_secret
from tests.conftest import CAST, Cast
from tests.conftest import PASSWORD as PRESENT

pytestmark = ONE_DATABASE

MEMBERS = "/settings/members"
PASSWORD = "a new long password"


@pytest.fixture
def viewer_id(cast: Cast) -> str:
    return db.session.scalars(select(Member.id).where(Member.email == cast.starlight.viewer)).one()


@pytest.fixture
def link(cast: Cast, viewer_id: str) -> str:
    """The path of an open link for the viewer."""
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    return f"/new-password/{link_for_member(partner, viewer_id, CAST)[1]}"


def test_an_owner_makes_a_link_and_its_holder_gets_in(
    owner: Visitor, visitor: Visitor, signed_in: Callable[[str], Visitor], cast: Cast, viewer_id: str
) -> None:
    forgetful = signed_in(cast.starlight.viewer)
    page = owner.get(MEMBERS).text
    assert plain(page).count("Password link for ") == 2, "for everybody else"
    form = {"number": number(page)}
    answer = owner.post(f"{MEMBERS}/{viewer_id}/password-link", form)
    assert "Copy the password link for" in plain(answer.text)
    assert f'<a href="{MEMBERS}" aria-current="true">Members</a>' in answer.text
    secret = shown_secret(answer.text, "pwd")
    assert secret
    again = owner.post(f"{MEMBERS}/{viewer_id}/password-link", form)
    assert (again.status_code, again.location) == (303, MEMBERS), "a form that is sent again makes no second one"
    said = plain(visitor.get(f"/new-password/{secret}").text)
    assert f"for {cast.starlight.viewer}" in said
    entered = visitor.post(f"/new-password/{secret}", {"password": PASSWORD})
    assert (entered.status_code, entered.location) == (303, "/games")
    assert "Your new password is set" in visitor.get("/games").text
    assert forgetful.get("/games").status_code == 302, "every session before is ended"
    assert visitor.get(f"/new-password/{secret}").status_code == 404


def test_an_operator_makes_one_for_the_last_owner(
    visitor: Visitor, signed_in: Callable[[str], Visitor], cast: Cast
) -> None:
    operator = signed_in(cast.operator)
    page = f"/operator/partners/{cast.starlight.partner_id}"
    path = re.search(rf'action="({page}/members/member_\w+/password-link)"', operator.get(page).text)
    assert path
    form = {"number": number(operator.get(page).text)}
    asked = operator.post(path[1], form)
    assert asked.status_code == 422
    assert "Create a password link for Owner?" in asked.text
    answer = operator.post(path[1], form | {"password": PRESENT})
    secret = shown_secret(answer.text, "pwd")
    assert f"for {cast.starlight.owner}" in plain(visitor.get(f"/new-password/{secret}").text)
    elsewhere = path[1].replace(cast.starlight.partner_id, cast.moonbase.partner_id)
    form = {"number": number(operator.get(page).text)}
    assert operator.post(elsewhere, form).status_code == 404


def test_what_is_missing_is_named_and_the_link_stays(visitor: Visitor, link: str) -> None:
    for password, said in (
        ("", "Choose a password"),
        ("short", "The password needs at least 12 characters"),
        ("x" * 1001, "A password has at most 1,000 characters"),
    ):
        answer = visitor.post(link, {"password": password})
        assert errors(answer) == ["The password is not set yet: 1 thing to change", said]
    assert visitor.post(link, {"password": PASSWORD}, token=False).status_code == 400
    page = visitor.get(link)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "private, no-store"
    assert link not in page.text


def test_a_guessed_link_names_nobody(visitor: Visitor, cast: Cast) -> None:
    for secret in ("pwd_guess", "x", "pwd_" + "a" * 5000):
        page = visitor.get(f"/new-password/{secret}")
        assert page.status_code == 404
        assert "This link no longer works" in page.text
        assert visitor.post(f"/new-password/{secret}", {"password": PASSWORD}).status_code == 404
