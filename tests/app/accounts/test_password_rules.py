"""What a new password must be, and that every place where one is chosen asks for it."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.members import accept_invitation, invite
from app.accounts.partners import create_member
from app.accounts.password_hashing import hash_password
from app.accounts.password_links import link_for_member, set_password
from app.accounts.password_rules import MAX_PASSWORD, MIN_PASSWORD, check_password
from app.accounts.passwords import change_password
from app.data.database import writing
from app.data.extensions import db
from app.data.models.partner import Member, Partner
from app.refusals import InvalidRequest
from tests.conftest import CAST, PASSWORD, Cast
from tests.signed_in_browsers import find_account

NAMES = ("Mira Okafor", "mira.okafor@kite-works.example", "Starlight Studio")


@pytest.mark.parametrize("length", [0, MIN_PASSWORD - 1, MAX_PASSWORD + 1])
def test_passwords_have_12_to_1000_characters(length: int) -> None:
    with pytest.raises(InvalidRequest, match=f"{length:,} characters") as refused:
        check_password("p" * length)
    assert set(refused.value.fields) == {"password"}
    assert "ppp" not in str(refused.value)


@pytest.mark.parametrize(
    "password", ["qwerty123456", "QWERTY123456", "1qaz2wsx3edc", "password1234", "sunshine!2026", "…123456789…!"]
)
def test_a_password_is_not_among_the_commonest(password: str) -> None:
    with pytest.raises(InvalidRequest, match="10,000 most common") as refused:
        check_password(password)
    assert set(refused.value.fields) == {"password"}
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password",
    [
        "slipway-2026!",
        "Slipway Slipway",
        "miraokafor12",
        "Mira.Okafor!!",
        "1234 okafor 5678",
        "mira.okafor@kite-works.example",
        "STARLIGHT STUDIO",
        "Starlight_Studio_2026",
        "Ｏｋａｆｏｒ Ｓｔｕｄｉｏ",  # full width
        "slipwaystarlight7",
    ],
)
def test_a_password_is_not_made_of_names(password: str) -> None:
    with pytest.raises(InvalidRequest, match="made of your name") as refused:
        check_password(password, *NAMES, field="new")
    assert set(refused.value.fields) == {"new"}
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password", [PASSWORD, "mira loves lanterns", "starlight express", "p" * MIN_PASSWORD, "\U0001f3ee" * MAX_PASSWORD]
)
def test_anything_else_will_do(password: str) -> None:
    check_password(password, *NAMES)


def test_every_place_where_a_password_is_chosen_asks(cast: Cast) -> None:
    starlight = db.session.get_one(Partner, cast.starlight.partner_id)
    viewer = db.session.scalars(select(Member).where(Member.email == cast.starlight.viewer)).one()
    invitation, link = (
        invite(starlight, "noor@x.example", "viewer", CAST)[1],
        link_for_member(starlight, viewer.id, CAST)[1],
    )
    for bad in ("eleven char", "qwerty123456", "Starlight Studio 1", "Slipway 2026", "x" * (MAX_PASSWORD + 1)):
        for choose in (
            lambda bad=bad: create_member(starlight, "new@x.example", "New", "viewer", bad, CAST),
            lambda bad=bad: accept_invitation(invitation, "Noor", bad, None),
            lambda bad=bad: set_password(link, bad, None),
            lambda bad=bad: change_password(viewer, PASSWORD, bad, CAST),
        ):
            with pytest.raises(InvalidRequest) as refused:
                choose()
            assert set(refused.value.fields) <= {"password", "new"}
    assert find_account(cast.starlight.viewer, PASSWORD)


def test_an_older_password_goes_on_working(cast: Cast) -> None:
    old = hash_password("slipway")
    with writing() as session:
        session.scalars(select(Member).where(Member.email == cast.starlight.viewer)).one().password_hash = old
    assert find_account(cast.starlight.viewer, "slipway")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.slow
def test_the_shortest_and_the_longest_password_work(app: Flask) -> None:
    for email, password in (("a@b.example", "p" * MIN_PASSWORD), ("c@d.example", "\U0001f3ee" * MAX_PASSWORD)):
        create_member(None, email, "A", "operator", password, CAST)
        assert find_account(email, password) is not None
        assert find_account(email, password[:-1]) is None
