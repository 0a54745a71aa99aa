"""The page behind an invitation's link."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.accounts.members import invite
from app.data.database import writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.partner import Invitation, Member, Partner
from tests.app.web.conftest import BOOSTED, ONE_DATABASE, Visitor
from tests.app.web.reading import afresh, errors, plain
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE

PASSWORD = "a new long password"
EMAIL = "noor@starlight.example"


@pytest.fixture
def link(cast: Cast) -> str:
    """The path of an open invitation."""
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    return f"/invitations/{invite(partner, EMAIL, 'developer', CAST)[1]}"


def joined() -> Member | None:
    afresh()
    return db.session.scalar(select(Member).where(Member.email == EMAIL))


def test_the_page_says_who_invites_whom_to_what(visitor: Visitor, link: str) -> None:
    page = visitor.get(link)
    assert page.status_code == 200
    words = plain(page.text)
    assert "Join Starlight Studio the cast invites noor@starlight.example as developer." in words
    assert "The link works once, until" in words
    assert 'autocomplete="new-password"' in page.text


def test_the_address_of_the_page_goes_nowhere(visitor: Visitor, link: str) -> None:
    page = visitor.get(link)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "private, no-store"
    assert link not in page.text


def test_joining_makes_a_member_and_signs_them_in(visitor: Visitor, link: str) -> None:
    answer = visitor.post(link, {"name": " Noor Haddad ", "password": PASSWORD})
    assert (answer.status_code, answer.location) == (303, "/games")
    page = visitor.get("/games").text
    assert "Welcome to Starlight Studio" in page
    assert "Noor Haddad" in page
    member = joined()
    assert member is not None
    assert (member.role, member.name) == ("developer", "Noor Haddad")
    assert visitor.post("/sign-out").status_code == 303
    assert visitor.sign_in(EMAIL, PASSWORD).status_code == 303


def test_joining_begins_a_new_session(visitor: Visitor, link: str) -> None:
    before = visitor.token()
    visitor.post(link, {"name": "Noor", "password": PASSWORD})
    assert visitor.token() != before


def test_who_is_signed_in_already_is_told_and_becomes_the_new_member(owner: Visitor, link: str) -> None:
    assert "You are signed in as owner@starlight.example" in plain(owner.get(link).text)
    owner.post(link, {"name": "Noor", "password": PASSWORD})
    assert "You sign in with noor@starlight.example." in plain(owner.get("/profile").text)


def test_what_is_missing_is_named_and_the_name_kept(visitor: Visitor, link: str) -> None:
    for name, password, said in (
        (" ", PASSWORD, "Enter your name"),
        ("x" * 151, PASSWORD, "A name has at most 150 characters"),
        ("Noor", "", "Choose a password"),
        ("Noor", "short", "The password needs at least 12 characters"),
        ("Noor", "x" * 1001, "A password has at most 1,000 characters"),
    ):
        answer = visitor.post(link, {"name": name, "password": password})
        assert errors(answer) == ["You have not joined yet: 1 thing to change", said]
        assert f'value="{name}"' in answer.text
        assert not password or f'value="{password}"' not in answer.text
    assert joined() is None


def test_a_link_works_once(visitor: Visitor, link: str) -> None:
    visitor.post(link, {"name": "Noor", "password": PASSWORD})
    for answer in (visitor.get(link), visitor.post(link, {"name": "Eve", "password": PASSWORD})):
        assert answer.status_code == 404
        assert "This invitation is no longer open" in answer.text
        assert "Ask for a new one." in answer.text
    member = joined()
    assert member is not None
    assert member.name == "Noor"


def test_a_link_that_has_ended_says_so_and_names_nobody(visitor: Visitor, link: str) -> None:
    with writing() as session:
        session.scalars(select(Invitation)).one().expires_at = now() - timedelta(seconds=1)
    page = visitor.get(link)
    assert page.status_code == 404
    assert EMAIL not in page.text
    assert "Starlight" not in page.text


def test_a_guessed_link_is_like_one_that_ended(visitor: Visitor, cast: Cast) -> None:
    for secret in ("inv_guess", "x", "inv_" + "a" * 5000):
        assert visitor.get(f"/invitations/{secret}").status_code == 404
        assert visitor.post(f"/invitations/{secret}", {"name": "Eve", "password": PASSWORD}).status_code == 404


def test_without_a_token_nobody_joins(visitor: Visitor, link: str) -> None:
    assert visitor.post(link, {"name": "Noor", "password": PASSWORD}, token=False).status_code == 400
    assert joined() is None


def test_a_boosted_link_gets_the_same_page(visitor: Visitor, link: str) -> None:
    assert "Join Starlight Studio" in visitor.get(link, headers=BOOSTED).text
