"""Sign-ins on the server: how long they live, what ends them, and what is kept of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts.members import remove_member
from app.accounts.passwords import change_password
from app.accounts.secrets import fingerprint
from app.accounts.sign_ins import (
    MAX_ACTIVE,
    MAX_AGE,
    MAX_IDLE,
    RETENTION,
    addresses_of,
    begin_sign_in,
    delete_old_sign_ins,
    end_one,
    end_sign_in,
    record_seen,
    roles_of_active,
    sign_in_of,
    sign_ins_of,
    sign_out_everywhere,
)
from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.base import now
from app.data.models.partner import Member, Partner, SignIn
from app.refusals import Conflict, InvalidRequest, NotFound
from tests.app.fleet.counting import statements
from tests.conftest import CAST, PASSWORD, Cast
from tests.signed_in_browsers import find_account, is_signed_in, sign_in_browser

NEW = "a new long password"
SECOND = timedelta(seconds=1)


@pytest.fixture
def owner(cast: Cast) -> Member:
    return db.session.scalars(select(Member).where(Member.email == cast.starlight.owner)).one()


@pytest.fixture
def viewer(cast: Cast) -> Member:
    return db.session.scalars(select(Member).where(Member.email == cast.starlight.viewer)).one()


def change(token: str, **values: object) -> None:
    with writing() as session:
        session.execute(update(SignIn).where(SignIn.token_hash == fingerprint(token)).values(**values))


def test_only_the_tokens_hash_is_stored(owner: Member) -> None:
    found, token = begin_sign_in(owner, "192.0.2.1", "Firefox on Linux")
    stored = [getattr(found, column.name) for column in SignIn.__table__.columns]
    assert found.token_hash == fingerprint(token)
    assert token not in repr(stored)
    assert (found.address, found.browser) == ("192.0.2.1", "Firefox on Linux")
    assert found.ends_at - found.created_at == MAX_AGE == timedelta(days=30)


def test_a_token_is_found_with_its_member_and_partner_in_one_query(owner: Member) -> None:
    token = sign_in_browser(owner)
    db.session.remove()
    with statements() as sent:
        found = sign_in_of(token)
        assert found is not None
        assert found.member.partner is not None
        assert found.member.partner.name == "Starlight Studio"
    assert sent.queries == 1


@pytest.mark.parametrize("token", ["", ":", "nobody:stamp", "member_0123456789abcdefghjkmn:stamp_x", "signin_unknown"])
def test_what_was_never_given_out_is_nobodys(app: Flask, token: str) -> None:
    assert sign_in_of(token) is None


def test_it_ends_after_14_days_unused_and_after_30_in_any_case(owner: Member) -> None:
    idle, old = sign_in_browser(owner), sign_in_browser(owner)
    change(idle, last_seen_at=now() - MAX_IDLE + timedelta(minutes=1))
    change(old, ends_at=now() + timedelta(minutes=1))
    assert is_signed_in(idle)
    assert is_signed_in(old)
    change(idle, last_seen_at=now() - MAX_IDLE - SECOND)
    change(old, ends_at=now() - SECOND)
    assert not is_signed_in(idle)
    assert not is_signed_in(old)
    assert timedelta(days=14) == MAX_IDLE


def test_being_used_does_not_move_the_absolute_end(owner: Member) -> None:
    token = sign_in_browser(owner)
    found = sign_in_of(token)
    assert found is not None
    end = found.ends_at
    change(token, last_seen_at=now() - timedelta(days=3))
    found = sign_in_of(token)
    assert found is not None
    record_seen(found)
    db.session.expire_all()
    assert now() - found.last_seen_at < timedelta(minutes=1)
    assert found.ends_at == end


def test_being_seen_is_written_once_in_some_minutes(owner: Member) -> None:
    token = sign_in_browser(owner)
    for minutes, writes in ((4, 0), (6, 1)):
        change(token, last_seen_at=now() - timedelta(minutes=minutes))
        with statements() as sent:
            found = sign_in_of(token)
            assert found is not None
            record_seen(found)
        assert (sent.writes("sign_ins"), sent.writes("members")) == (writes, writes)


def test_signing_out_ends_one_and_leaves_the_others(owner: Member) -> None:
    here, elsewhere = sign_in_browser(owner), sign_in_browser(owner)
    end_sign_in(here)
    assert (is_signed_in(here), is_signed_in(elsewhere)) == (False, True)
    end_sign_in(here)  # again changes nothing


def test_another_browser_is_signed_out_by_its_owner_only(owner: Member, viewer: Member) -> None:
    theirs, token = begin_sign_in(viewer, None, "Chrome on Windows")
    with pytest.raises(NotFound):
        end_one(owner, theirs.id, CAST)
    assert is_signed_in(token)
    end_one(viewer, theirs.id, CAST)
    assert not is_signed_in(token)
    with pytest.raises(NotFound):
        end_one(viewer, theirs.id, CAST)
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "member.browser_signed_out")).one()
    assert entry.subject == "Chrome on Windows"


def test_signing_out_everywhere_ends_all_of_one_member(owner: Member, viewer: Member) -> None:
    first, second, theirs = sign_in_browser(owner), sign_in_browser(owner), sign_in_browser(viewer)
    sign_out_everywhere(owner, CAST)
    assert [is_signed_in(token) for token in (first, second, theirs)] == [False, False, True]
    assert is_signed_in(sign_in_browser(owner))


def test_a_new_password_ends_every_sign_in_but_this(cast: Cast, owner: Member) -> None:
    here, token = begin_sign_in(owner, None, "Firefox")
    elsewhere = sign_in_browser(owner)
    with pytest.raises(InvalidRequest) as refused:
        change_password(owner, "not my password", NEW, CAST, here=here)
    assert set(refused.value.fields) == {"password"}
    assert is_signed_in(elsewhere)
    change_password(owner, PASSWORD, NEW, CAST, here=here)
    assert (is_signed_in(token), is_signed_in(elsewhere)) == (True, False)
    assert find_account(cast.starlight.owner, PASSWORD) is None
    assert find_account(cast.starlight.owner, NEW) is not None


def test_a_removed_members_sign_ins_go_with_them(cast: Cast, viewer: Member) -> None:
    token = sign_in_browser(viewer)
    remove_member(db.session.get_one(Partner, cast.starlight.partner_id), viewer.id, CAST)
    assert not is_signed_in(token)
    assert db.session.scalar(select(func.count()).select_from(SignIn)) == 0


def test_none_begins_with_a_password_that_was_changed_meanwhile(app: Flask, cast: Cast, owner: Member) -> None:
    with app.app_context():  # another request
        proved = find_account(cast.starlight.owner, PASSWORD)
        assert proved is not None
        proved_hash = proved.password_hash
    change_password(owner, PASSWORD, NEW, CAST)
    stale = Member(id=owner.id, password_hash=proved_hash)
    with pytest.raises(Conflict, match="Sign in again"):
        begin_sign_in(stale, None, "Firefox")
    assert sign_ins_of(owner) == []


def test_what_the_browser_had_before_ends(owner: Member, viewer: Member) -> None:
    before = sign_in_browser(viewer)
    _, token = begin_sign_in(owner, None, "Firefox", replaces=before)
    assert (is_signed_in(before), is_signed_in(token)) == (False, True)


def test_of_fifty_one_the_one_unused_for_longest_ends(owner: Member) -> None:
    first = sign_in_browser(owner)
    rest = [sign_in_browser(owner) for _ in range(MAX_ACTIVE - 1)]
    change(rest[7], last_seen_at=now() - timedelta(days=1))
    last = sign_in_browser(owner)
    assert not is_signed_in(rest[7])
    assert all(is_signed_in(token) for token in (first, *rest[:7], *rest[8:], last))
    assert len(sign_ins_of(owner)) == MAX_ACTIVE


def test_an_address_stays_known_after_signing_out_and_takes_one_row(cast: Cast, owner: Member) -> None:
    for _ in range(3):
        end_sign_in(sign_in_browser(owner, "192.0.2.1"))
    end_sign_in(sign_in_browser(owner, "198.51.100.7"))
    assert addresses_of(cast.starlight.owner) == {"192.0.2.1", "198.51.100.7"}
    assert db.session.scalar(select(func.count()).select_from(SignIn)) == 2


def test_old_ones_are_swept(owner: Member) -> None:
    kept, ended, gone = (
        sign_in_browser(owner),
        sign_in_browser(owner, "198.51.100.1"),
        sign_in_browser(owner, "198.51.100.2"),
    )
    change(ended, ended_at=now(), last_seen_at=now() - RETENTION + timedelta(minutes=1))
    change(gone, last_seen_at=now() - RETENTION - SECOND)
    with writing() as session:
        delete_old_sign_ins(session)
    hashes = set(db.session.scalars(select(SignIn.token_hash)))
    assert hashes == {fingerprint(kept), fingerprint(ended)}


def test_those_that_live_are_found_in_one_query(owner: Member, viewer: Member) -> None:
    ids = [begin_sign_in(member, None, "Firefox")[0].id for member in (owner, viewer)]
    sign_out_everywhere(viewer, CAST)
    with statements() as sent:
        assert roles_of_active([*ids, "signin_unknown"]) == {ids[0]: "owner"}
    assert sent.queries == 1
