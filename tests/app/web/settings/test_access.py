"""Who gets through which door of the settings: as owner, developer, viewer, stranger, operator, or signed out."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.accounts.members import invite
from app.data.extensions import db
from app.data.models.partner import ApiKey, App, Invitation, Member, Partner, PasswordLink
from tests.app.web.conftest import BOOSTED, HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import afresh
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE

LISTS = ("partner", "members", "keys", "quota", "appearance", "activity")
SEEN_BY_ALL = [f"/settings/{name}" for name in LISTS] + ["/profile"]
OWNERS_PAGES = [
    "/settings/keys/new",
    "/settings/keys/{key}/roll",
    "/settings/keys/{key}/revocation",
    "/settings/apps/new",
    "/settings/apps/{app}",
    "/settings/members/{member}/removal",
]
OWNERS_DEEDS = [
    "/settings/partner",
    "/settings/keys",
    "/settings/keys/env",
    "/settings/keys/{key}/roll",
    "/settings/keys/{key}/revocation",
    "/settings/apps/new",
    "/settings/apps/{app}",
    "/settings/members",
    "/settings/members/{member}/role",
    "/settings/members/{member}/removal",
    "/settings/members/{member}/password-link",
    "/settings/members/invitations/{invitation}/role",
    "/settings/members/invitations/{invitation}/link",
    "/settings/members/invitations/{invitation}/withdrawal",
]
OWN_DEEDS = ["/profile/name", "/profile/password", "/profile/sign-out"]


@pytest.fixture
def places(cast: Cast) -> dict[str, str]:
    """What stands in the addresses: things of Starlight Studio."""
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    app = db.session.scalars(select(App).where(App.partner_id == partner.id, App.name == "CI")).one()
    return {
        "key": db.session.scalars(select(ApiKey).where(ApiKey.app_id == app.id)).one().id,
        "app": app.id,
        "member": db.session.scalars(select(Member).where(Member.email == cast.starlight.viewer)).one().id,
        "invitation": invite(partner, "noor@starlight.example", "viewer", CAST)[0].id,
    }


def state() -> list[tuple[object, ...]]:
    """All that these routes could change."""
    afresh()
    rows = [
        *db.session.execute(select(Partner.id, Partner.name).order_by(Partner.id)),
        *db.session.execute(select(Member.id, Member.role, Member.name).order_by(Member.id)),
        *db.session.execute(select(ApiKey.id, ApiKey.revoked_at, ApiKey.expires_at).order_by(ApiKey.id)),
        *db.session.execute(select(App.id, App.name).order_by(App.id)),
        *db.session.execute(select(Invitation.id, Invitation.role, Invitation.token_hash)),
        *db.session.execute(select(PasswordLink.id)),
    ]
    return [tuple(row) for row in rows]


# Signing in takes a password hash, so each test goes through all doors with one browser.


@pytest.mark.parametrize("role", ["owner", "developer", "viewer"])
def test_every_member_sees_the_pages(cast: Cast, signed_in: Callable[[str], Visitor], role: str) -> None:
    browser = signed_in(getattr(cast.starlight, role))
    for path in SEEN_BY_ALL:
        page = browser.get(path)
        assert page.status_code == 200, path
        assert page.text.count("<h1>") == 1, path
        assert page.headers["Cache-Control"] == "private, no-store", path


def test_a_boosted_link_gets_the_same_page(owner: Visitor, places: dict[str, str]) -> None:
    for path in SEEN_BY_ALL + OWNERS_PAGES:
        page = owner.get(path.format(**places), headers=BOOSTED)
        assert page.status_code == 200, path
        assert "<h1>" in page.text, path
        assert 'aria-label="Main"' in page.text, path


def test_a_question_is_a_page_and_a_dialog(owner: Visitor, places: dict[str, str]) -> None:
    for path in OWNERS_PAGES:
        page, dialog = owner.get(path.format(**places)), owner.get(path.format(**places), headers=HTMX)
        assert "<h1>" in page.text, path
        assert dialog.status_code == 200, path
        assert 'id="dialog-title" tabindex="-1" autofocus' in dialog.text, path
        assert "<html" not in dialog.text, path
        for answer in (page, dialog):
            assert 'name="csrf_token"' in answer.text, path
            assert 'form="ask"' in answer.text, path


@pytest.mark.parametrize("role", ["developer", "viewer"])
def test_questions_and_deeds_are_for_owners(
    cast: Cast, signed_in: Callable[[str], Visitor], places: dict[str, str], role: str
) -> None:
    browser, before = signed_in(getattr(cast.starlight, role)), state()
    for path in OWNERS_PAGES:
        page = browser.get(path.format(**places))
        assert page.status_code == 403, path
        assert f"your role is {role}. Ask Owner." in page.text, path
    for path in OWNERS_DEEDS:
        answer = browser.post(path.format(**places), {"name": "x", "role": "owner", "number": "1"})
        assert answer.status_code == 403, path
    assert state() == before


def test_things_of_another_partner_are_not_there(stranger: Visitor, places: dict[str, str]) -> None:
    before = state()
    for path in OWNERS_DEEDS + OWNERS_PAGES:
        if "{" not in path:
            continue
        address = path.format(**places)
        answers = [stranger.post(address, {"name": "x", "role": "owner", "number": "1"})]
        if path in OWNERS_PAGES:
            answers += [stranger.get(address), stranger.get(address, headers=HTMX)]
        for answer in answers:
            assert answer.status_code == 404, path
            assert "Starlight" not in answer.text, path
    assert state() == before


def test_a_stranger_sees_nothing_of_the_partner(stranger: Visitor, places: dict[str, str]) -> None:
    for name in LISTS:
        page = stranger.get(f"/settings/{name}").text
        for known in ("Starlight", "starlight.example", places["key"], places["member"]):
            assert known not in page, name


def test_who_is_not_signed_in_is_asked_to(visitor: Visitor, places: dict[str, str]) -> None:
    for path in SEEN_BY_ALL + OWNERS_PAGES:
        address = path.format(**places)
        assert visitor.get(address).location == f"/sign-in?next={address}"
        assert visitor.get(address, headers=HTMX).status_code == 401, path
    before = state()
    for path in OWNERS_DEEDS + OWN_DEEDS:
        answer = visitor.post(path.format(**places), {"name": "x", "role": "owner"})
        assert answer.status_code == 401, path
        assert "What you typed is kept. Sign in to send it." in answer.text
        empty = visitor.post(path.format(**places))
        assert (empty.status_code, empty.location) == (302, "/sign-in"), path
    assert state() == before


def test_without_a_token_nothing_is_done(owner: Visitor, places: dict[str, str]) -> None:
    before = state()
    for path in OWNERS_DEEDS + OWN_DEEDS:
        answer = owner.post(path.format(**places), {"name": "x", "role": "owner", "number": "1"}, token=False)
        assert answer.status_code == 400, path
    assert state() == before


def test_an_operator_belongs_to_no_partner(cast: Cast, signed_in: Callable[[str], Visitor]) -> None:
    browser = signed_in(cast.operator)
    for name in LISTS:
        page = browser.get(f"/settings/{name}")
        assert page.status_code == 403, name
        assert "an operator, who belongs to none" in page.text


def test_settings_begin_with_the_partner(owner: Visitor) -> None:
    assert owner.get("/settings").location == "/settings/partner"


def test_both_navigations_say_where_one_is(owner: Visitor) -> None:
    """Activity and Members are in the main navigation alone (tests/app/web/frame/test_navigation.py)."""
    for name in sorted(set(LISTS) - {"activity", "members"}):
        page = owner.get(f"/settings/{name}").text
        assert f'<li><a href="/settings/{name}" aria-current="page">' in page, name
        assert re.search(r'<li><a href="/settings/partner" aria-current="(page|true)">Settings</a>', page), name
