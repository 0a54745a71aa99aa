"""Links for new passwords: they work once, for a day, for one member, and end every sign-in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.accounts.members import remove_member
from app.accounts.password_links import link_for_member, password_link_of, set_password
from app.accounts.passwords import change_password
from app.accounts.secrets import fingerprint
from app.accounts.sign_ins import sign_out_everywhere
from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.base import now
from app.data.models.partner import Member, Partner, PasswordLink
from app.refusals import InvalidRequest, NotFound
from tests.conftest import CAST, PASSWORD, Cast
from tests.signed_in_browsers import find_account, is_signed_in, sign_in_browser

NEW_PASSWORD = "a new long password"


@pytest.fixture
def starlight(cast: Cast) -> Partner:
    return db.session.get_one(Partner, cast.starlight.partner_id)


@pytest.fixture
def viewer(cast: Cast) -> Member:
    return db.session.scalars(select(Member).where(Member.email == cast.starlight.viewer)).one()


def works(secret: str) -> bool:
    db.session.rollback()
    try:
        return bool(password_link_of(secret))
    except NotFound:
        return False


def test_a_link_sets_the_password_once_and_ends_every_sign_in(starlight: Partner, viewer: Member) -> None:
    browser = sign_in_browser(viewer)
    link, secret = link_for_member(starlight, viewer.id, CAST)
    assert link.token_hash == fingerprint(secret)
    assert timedelta(hours=23) < link.expires_at - now() <= timedelta(days=1)
    assert find_account(viewer.email, PASSWORD), "until it is used nothing has changed"
    with pytest.raises(InvalidRequest):
        set_password(secret, "short", None)
    set_password(secret, NEW_PASSWORD, "192.0.2.7")
    assert find_account(viewer.email, NEW_PASSWORD)
    assert find_account(viewer.email, PASSWORD) is None
    assert not is_signed_in(browser)
    with pytest.raises(NotFound):
        set_password(secret, "yet another password", None)
    entries = db.session.execute(select(AuditEntry.action, AuditEntry.actor).order_by(AuditEntry.id.desc()).limit(2))
    assert [tuple(entry) for entry in entries] == [
        ("member.password_set", viewer.name),
        ("member.password_link_made", CAST.name),
    ]


def test_a_link_ends_with_its_day_a_newer_link_another_password_or_its_member(
    starlight: Partner, viewer: Member
) -> None:
    _, first = link_for_member(starlight, viewer.id, CAST)
    _, second = link_for_member(starlight, viewer.id, CAST)
    assert (works(first), works(second)) == (False, True)
    change_password(viewer, PASSWORD, NEW_PASSWORD, CAST)
    assert not works(second)
    _, third = link_for_member(starlight, viewer.id, CAST)
    sign_out_everywhere(viewer, CAST)
    assert not works(third)
    _, fourth = link_for_member(starlight, viewer.id, CAST)
    with writing() as session:
        session.scalars(select(PasswordLink)).one().expires_at = now() - timedelta(seconds=1)
    assert not works(fourth)
    _, fifth = link_for_member(starlight, viewer.id, CAST)
    remove_member(starlight, viewer.id, CAST)
    assert not works(fifth)
    assert db.session.scalar(select(func.count()).select_from(PasswordLink)) == 0


def test_nobody_makes_a_link_for_another_partners_member(cast: Cast, viewer: Member) -> None:
    with pytest.raises(NotFound):
        link_for_member(db.session.get_one(Partner, cast.moonbase.partner_id), viewer.id, CAST)


def test_of_two_who_follow_a_link_at_once_one_sets_the_password(app: Flask, starlight: Partner, viewer: Member) -> None:
    _, secret = link_for_member(starlight, viewer.id, CAST)

    def follow(password: str) -> bool:
        with app.app_context():
            try:
                return bool(set_password(secret, password, None))
            except NotFound:
                return False

    passwords = ["the first new password", "the second new password"]
    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(follow, passwords))
    assert sorted(done) == [False, True]
    db.session.expire_all()
    assert [bool(find_account(viewer.email, password)) for password in passwords] == done
