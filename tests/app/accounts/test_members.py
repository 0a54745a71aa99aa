"""Who belongs to a partner: invitations, roles, removal, and the owner who always stays."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts import members, password_hashing
from app.accounts.partners import create_member
from app.accounts.secrets import fingerprint
from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.base import now
from app.data.models.partner import Invitation, Member, Partner
from app.refusals import Conflict, InvalidRequest, NotFound, Refusal
from tests.conftest import CAST, PASSWORD, Cast
from tests.signed_in_browsers import find_account, is_signed_in, sign_in_browser

NEW_PASSWORD = "a new long password"


@pytest.fixture
def starlight(cast: Cast) -> Partner:
    return db.session.get_one(Partner, cast.starlight.partner_id)


@pytest.fixture
def moonbase(cast: Cast) -> Partner:
    return db.session.get_one(Partner, cast.moonbase.partner_id)


def member(email: str) -> Member:
    return db.session.scalars(select(Member).where(Member.email == email)).one()


def deeds() -> list[str]:
    return list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def at_once(app: Flask, *deeds: Callable[[], object]) -> list[object]:
    """Do all of these at the same moment, each in a request's context; refusals are returned."""

    def run(deed: Callable[[], object]) -> object:
        with app.app_context():
            try:
                return deed()
            except Refusal as refusal:
                return refusal

    with ThreadPoolExecutor(len(deeds)) as threads:
        return list(threads.map(run, deeds))


def test_members_are_listed_owners_first_then_by_name(starlight: Partner) -> None:
    members.accept_invitation(
        members.invite(starlight, "aiko@starlight.example", "developer", CAST)[1], "Aiko", PASSWORD, None
    )
    assert [m.name for m in members.members_of(starlight)] == ["Owner", "Aiko", "Developer", "Viewer"]


def test_an_invitation_makes_a_member_who_can_sign_in(starlight: Partner) -> None:
    invitation, secret = members.invite(starlight, " Noor@Starlight.example ", "developer", CAST)
    assert invitation.email == "noor@starlight.example"
    joined = members.accept_invitation(secret, " Noor Haddad ", NEW_PASSWORD, "192.0.2.7")
    assert (joined.name, joined.role, joined.partner_id) == ("Noor Haddad", "developer", starlight.id)
    signed_in = find_account("noor@starlight.example", NEW_PASSWORD)
    assert signed_in is not None
    assert signed_in.id == joined.id
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "member.joined")).one()
    assert (entry.actor, entry.address, entry.partner_id) == ("Noor Haddad", "192.0.2.7", starlight.id)


def test_only_a_hash_of_the_secret_is_stored(starlight: Partner) -> None:
    invitation, secret = members.invite(starlight, "noor@starlight.example", "viewer", CAST)
    assert secret.startswith("inv_")
    assert invitation.token_hash == fingerprint(secret)
    assert all(secret not in str(entry.details) + entry.subject for entry in db.session.scalars(select(AuditEntry)))


def test_an_invitation_works_once(starlight: Partner) -> None:
    _, secret = members.invite(starlight, "noor@starlight.example", "viewer", CAST)
    members.accept_invitation(secret, "Noor", NEW_PASSWORD, None)
    with pytest.raises(NotFound, match="used, withdrawn or is older than 7 days"):
        members.accept_invitation(secret, "Noor again", NEW_PASSWORD, None)


def test_an_invitation_followed_twice_at_once_makes_one_member(app: Flask, starlight: Partner) -> None:
    _, secret = members.invite(starlight, "noor@starlight.example", "viewer", CAST)
    db.session.remove()

    def join(name: str) -> Callable[[], Member]:
        return lambda: members.accept_invitation(secret, name, NEW_PASSWORD, None)

    answers = at_once(app, join("Noor"), join("Noor too"))
    assert sorted(type(answer).__name__ for answer in answers) == ["Member", "NotFound"]
    assert member("noor@starlight.example").name in {"Noor", "Noor too"}


def test_an_invitation_ends_after_seven_days(starlight: Partner) -> None:
    invitation, secret = members.invite(starlight, "noor@starlight.example", "viewer", CAST)
    assert timedelta(days=6, hours=23) < invitation.expires_at - now() <= timedelta(days=7)
    with writing():
        invitation.expires_at = now() - timedelta(seconds=1)
    assert list(members.open_invitations(starlight)) == []
    with pytest.raises(NotFound):
        members.invitation_of(secret)


def test_inviting_an_address_again_replaces_the_link_and_the_role(starlight: Partner) -> None:
    _, first = members.invite(starlight, "noor@starlight.example", "viewer", CAST)
    _, second = members.invite(starlight, "noor@starlight.example", "developer", CAST)
    with pytest.raises(NotFound):
        members.invitation_of(first)
    assert members.invitation_of(second).role == "developer"
    assert len(members.open_invitations(starlight)) == 1


def test_a_lost_link_is_replaced_by_a_new_one(starlight: Partner, moonbase: Partner) -> None:
    invitation, lost = members.invite(starlight, "noor@starlight.example", "viewer", CAST)
    with pytest.raises(NotFound):
        members.renew_invitation(moonbase, invitation.id, CAST)
    assert members.invitation_of(lost).id == invitation.id
    _, secret = members.renew_invitation(starlight, invitation.id, CAST)
    assert members.invitation_of(secret).role == "viewer"
    with pytest.raises(NotFound):
        members.invitation_of(lost)


def test_an_address_that_signs_in_to_the_partner_already_is_not_invited(cast: Cast, starlight: Partner) -> None:
    with pytest.raises(Conflict, match=f"{cast.starlight.viewer} already has an account in this partner"):
        members.invite(starlight, cast.starlight.viewer, "viewer", CAST)
    assert members.open_invitations(starlight) == []


def test_that_somebody_signs_in_elsewhere_makes_no_difference(cast: Cast, starlight: Partner) -> None:
    """An owner who invites an address must not learn from it, nor from accepting, that it has an account elsewhere."""
    for email in (cast.moonbase.owner, cast.operator, "nobody@nowhere.example"):
        _, secret = members.invite(starlight, email, "viewer", CAST)
        joined = members.accept_invitation(secret, "Noor", NEW_PASSWORD, None)
        assert (joined.email, joined.partner_id) == (email, starlight.id)
        found = find_account(email, NEW_PASSWORD)
        assert found is not None
        assert found.id == joined.id
    theirs = find_account(cast.moonbase.owner, PASSWORD)
    assert theirs is not None
    assert theirs.partner_id == cast.moonbase.partner_id


def test_accounts_of_one_address_are_checked_with_one_evaluation(
    cast: Cast, starlight: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of a wrong password would otherwise tell whether the address has an account elsewhere."""
    _, secret = members.invite(starlight, cast.moonbase.owner, "viewer", CAST)
    members.accept_invitation(secret, "Noor", NEW_PASSWORD, None)
    count = 0
    original = password_hashing._evaluate

    def evaluate(password: str, like: str | None) -> str:
        nonlocal count
        count += 1
        return original(password, like)

    find_account("nobody@nowhere.example", PASSWORD)  # the hash of nobody is made once
    monkeypatch.setattr(password_hashing, "_evaluate", evaluate)
    for email in (cast.moonbase.owner, cast.starlight.owner, "nobody@nowhere.example"):
        assert find_account(email, "quite another password") is None
    assert count == 3


def test_an_invitation_to_an_address_that_has_signed_up_meanwhile_changes_nothing(starlight: Partner) -> None:
    _, ours = members.invite(starlight, "noor@starlight.example", "viewer", CAST)
    create_member(starlight, "noor@starlight.example", "Noor", "developer", NEW_PASSWORD, CAST)
    with pytest.raises(Conflict, match="Sign in instead"):
        members.accept_invitation(ours, "Noor", "another new password", None)
    assert member("noor@starlight.example").role == "developer"


@pytest.mark.parametrize(
    ("email", "role", "field"),
    [("noor", "viewer", "email"), ("a b@c", "viewer", "email"), ("noor@x.example", "operator", "role")],
)
def test_an_invitation_needs_an_address_and_a_role(starlight: Partner, email: str, role: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        members.invite(starlight, email, role, CAST)
    assert list(refused.value.fields) == [field]
    assert list(members.open_invitations(starlight)) == []


@pytest.mark.parametrize(("name", "password", "field"), [(" ", NEW_PASSWORD, "name"), ("Noor", "short", "password")])
def test_joining_needs_a_name_and_a_long_password_and_keeps_the_link(
    starlight: Partner, name: str, password: str, field: str
) -> None:
    _, secret = members.invite(starlight, "noor@starlight.example", "viewer", CAST)
    with pytest.raises(InvalidRequest) as refused:
        members.accept_invitation(secret, name, password, None)
    assert list(refused.value.fields) == [field]
    assert members.invitation_of(secret)


def test_the_role_of_an_invitation_can_be_changed_without_a_new_link(starlight: Partner, moonbase: Partner) -> None:
    invitation, secret = members.invite(starlight, "noor@starlight.example", "viewer", CAST)
    members.change_invited_role(starlight, invitation.id, "developer", CAST)
    assert members.accept_invitation(secret, "Noor", NEW_PASSWORD, None).role == "developer"
    other, _ = members.invite(starlight, "kim@starlight.example", "viewer", CAST)
    with pytest.raises(NotFound):
        members.change_invited_role(moonbase, other.id, "owner", CAST)
    with pytest.raises(InvalidRequest):
        members.change_invited_role(starlight, other.id, "operator", CAST)


def test_a_withdrawn_invitation_is_useless(starlight: Partner, moonbase: Partner) -> None:
    invitation, secret = members.invite(starlight, "noor@starlight.example", "viewer", CAST)
    with pytest.raises(NotFound):
        members.withdraw(moonbase, invitation.id, CAST)
    members.withdraw(starlight, invitation.id, CAST)
    with pytest.raises(NotFound):
        members.invitation_of(secret)
    with pytest.raises(NotFound):
        members.withdraw(starlight, invitation.id, CAST)
    assert db.session.scalar(select(Invitation)) is None


def test_a_role_is_changed_and_recorded_once(cast: Cast, starlight: Partner) -> None:
    viewer = member(cast.starlight.viewer)
    for _ in range(2):
        members.change_role(starlight, viewer.id, "developer", CAST)
    assert member(cast.starlight.viewer).role == "developer"
    assert deeds().count("member.role_changed") == 1


def test_the_only_owner_keeps_the_role_and_stays(cast: Cast, starlight: Partner) -> None:
    owner = member(cast.starlight.owner)
    for deed in (
        lambda: members.change_role(starlight, owner.id, "developer", CAST),
        lambda: members.remove_member(starlight, owner.id, CAST),
    ):
        with pytest.raises(Conflict, match="Make somebody else an owner first") as refused:
            deed()
        assert refused.value.code == "only_owner"
    members.change_role(starlight, owner.id, "owner", CAST)
    assert member(cast.starlight.owner).role == "owner"


def test_with_two_owners_one_can_go_and_the_other_stays(cast: Cast, starlight: Partner) -> None:
    members.change_role(starlight, member(cast.starlight.developer).id, "owner", CAST)
    members.remove_member(starlight, member(cast.starlight.owner).id, CAST)
    with pytest.raises(Conflict):
        members.change_role(starlight, member(cast.starlight.developer).id, "viewer", CAST)


def test_two_owners_cannot_remove_each_other_at_the_same_moment(app: Flask, cast: Cast, starlight: Partner) -> None:
    members.change_role(starlight, member(cast.starlight.developer).id, "owner", CAST)
    ids = [member(email).id for email in (cast.starlight.owner, cast.starlight.developer)]
    partner_id = starlight.id
    db.session.remove()

    def removal(member_id: str) -> Callable[[], str]:
        def remove() -> str:
            members.remove_member(db.session.get_one(Partner, partner_id), member_id, CAST)
            return "removed"

        return remove

    answers = at_once(app, *(removal(member_id) for member_id in ids))
    assert sorted(str(getattr(answer, "code", answer)) for answer in answers) == ["only_owner", "removed"]
    assert [m.role for m in members.members_of(db.session.get_one(Partner, partner_id))].count("owner") == 1


def test_a_removed_member_is_signed_out_and_their_address_free(cast: Cast, starlight: Partner) -> None:
    viewer = member(cast.starlight.viewer)
    browser = sign_in_browser(viewer)
    assert is_signed_in(browser)
    members.remove_member(starlight, viewer.id, CAST)
    assert not is_signed_in(browser)
    members.invite(starlight, cast.starlight.viewer, "viewer", CAST)


def test_what_a_removed_member_did_stays_in_the_log(cast: Cast, starlight: Partner) -> None:
    members.remove_member(starlight, member(cast.starlight.viewer).id, CAST)
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "member.removed")).one()
    assert (entry.subject, entry.actor) == ("Viewer", "the cast")


def test_members_of_another_partner_are_not_there(cast: Cast, moonbase: Partner) -> None:
    viewer_id = member(cast.starlight.viewer).id
    with pytest.raises(NotFound):
        members.change_role(moonbase, viewer_id, "owner", CAST)
    with pytest.raises(NotFound):
        members.remove_member(moonbase, viewer_id, CAST)
    assert member(cast.starlight.viewer).role == "viewer"


def test_two_operators_who_remove_each_other_at_once_leave_one(app: Flask, cast: Cast) -> None:
    create_member(None, "olga@slipway.example", "Olga", "operator", NEW_PASSWORD, CAST)
    first, second = member(cast.operator).id, member("olga@slipway.example").id
    db.session.remove()

    answers = at_once(app, lambda: members.remove_operator(first, CAST), lambda: members.remove_operator(second, CAST))

    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "NoneType"]
    assert len(db.session.scalars(select(Member).where(Member.role == "operator")).all()) == 1


def test_a_member_of_a_partner_is_no_operator(starlight: Partner, cast: Cast) -> None:
    with pytest.raises(NotFound):
        members.remove_operator(member(cast.starlight.owner).id, CAST)
