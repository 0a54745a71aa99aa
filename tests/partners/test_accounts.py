"""Partners and people: made, signing in, passwords, and the stamp that ends sessions."""

from __future__ import annotations

import threading
from typing import Literal

import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters
from flask import Flask
from sqlalchemy import select

from app.database import writing
from app.extensions import db
from app.models import App, AuditEntry, Member, Partner, now
from app.partners import accounts, secrets
from app.partners.accounts import create_member, create_partner, member_of_session, partner_named, sign_in
from app.refusals import Conflict, InvalidRequest, NotFound
from tests.conftest import CAST, PASSWORD, Cast

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # hashing is long, and the same on both
BAD_NAMES = ["", "   ", "x" * 151, "a\0b", "a\nb", "\x1b[31mred", "\ud800"]


def member(email: str) -> Member:
    return db.session.scalars(select(Member).where(Member.email == email)).one()


def test_a_partner_comes_with_the_app_that_owns_what_members_upload(app: Flask) -> None:
    partner = create_partner("  Kite Works ", CAST)

    assert partner.name == "Kite Works"
    assert db.session.scalars(select(App.name).where(App.partner_id == partner.id)).all() == ["Dashboard"]
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "partner.created")).one()
    assert (entry.subject, entry.actor, entry.partner_id) == ("Kite Works", "the cast", partner.id)


def test_partners_names_are_taken_whatever_their_letters_case(app: Flask) -> None:
    create_partner("Kité Works", CAST)

    with pytest.raises(Conflict, match="KITÉ works"):
        create_partner("KITÉ works", CAST)
    assert partner_named(" kITÉ wORKS ").name == "Kité Works"
    with pytest.raises(NotFound, match="flask partner create"):
        partner_named("Kite")


def test_names_are_one_line_within_their_limit(app: Flask, subtests: pytest.Subtests) -> None:
    assert create_partner("x" * 150, CAST).name == "x" * 150
    partner = create_partner("Kite Works", CAST)
    for name in BAD_NAMES:
        with subtests.test(name=name[:10]):
            with pytest.raises(InvalidRequest, match=r"^The partner's name") as refused:
                create_partner(name, CAST)
            assert set(refused.value.fields) == {"name"}
            if name.strip():
                with pytest.raises(InvalidRequest, match=r"^The person's name"):
                    create_member(partner, "a@kite.example", name, "owner", PASSWORD, CAST)
    assert db.session.scalars(select(Member)).all() == []


def test_a_member_without_a_name_is_called_by_the_address(app: Flask) -> None:
    assert create_member(None, "olga@slipway.example", " ", "operator", PASSWORD, CAST).name == "olga@slipway.example"


def test_addresses_are_kept_in_one_form_and_belong_to_one_person(app: Flask, cast: Cast) -> None:
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    made = create_member(partner, "  Mira.Okafor@Starlight.Example ", "Mira", "owner", PASSWORD, CAST)

    assert made.email == "mira.okafor@starlight.example"
    with pytest.raises(Conflict, match=r"mira\.okafor@starlight"):
        create_member(None, "MIRA.OKAFOR@starlight.example", "Other", "operator", PASSWORD, CAST)


def test_what_is_no_address_is_refused(app: Flask, subtests: pytest.Subtests) -> None:
    for email in ("", "mira", "mira@", "@b", "a b@c", "a@b c", "a@b@c", "x" * 251 + "@a.b", "a\0@b.c", "a\n@b"):
        with subtests.test(email=email[:10]):
            with pytest.raises(InvalidRequest) as refused:
                create_member(None, email, "Mira", "operator", PASSWORD, CAST)
            assert set(refused.value.fields) == {"email"}


def test_passwords_have_10_to_1000_characters(app: Flask, subtests: pytest.Subtests) -> None:
    for length in (0, 9, 1001):
        with subtests.test(length=length):
            with pytest.raises(InvalidRequest, match=f"{length:,} characters") as refused:
                create_member(None, "a@b.example", "A", "operator", "p" * length, CAST)
            assert set(refused.value.fields) == {"password"}
            assert "ppp" not in str(refused.value)


@SQLITE
@pytest.mark.slow
def test_the_shortest_and_the_longest_password_work(app: Flask) -> None:
    for email, password in (("a@b.example", "p" * 10), ("c@d.example", "\U0001f3ee" * 1000)):
        create_member(None, email, "A", "operator", password, CAST)
        assert sign_in(email, password) is not None
        assert sign_in(email, password[:-1]) is None


def test_roles_are_of_a_partner_and_operators_of_none(cast: Cast, subtests: pytest.Subtests) -> None:
    starlight = db.session.get_one(Partner, cast.starlight.partner_id)
    for partner, role in ((starlight, "operator"), (None, "owner"), (None, "viewer"), (starlight, "king")):
        with subtests.test(role=role):
            with pytest.raises(InvalidRequest) as refused:
                create_member(partner, "new@starlight.example", "New", role, PASSWORD, CAST)
            assert set(refused.value.fields) == {"role"}


def test_a_password_is_stored_as_its_argon2_hash_only(cast: Cast) -> None:
    stored = member(cast.starlight.owner)

    assert stored.password_hash.startswith("$argon2id$")
    assert PASSWORD not in repr([getattr(stored, column.name) for column in Member.__table__.columns])


def test_signing_in_finds_the_member_and_notes_when(cast: Cast) -> None:
    assert member(cast.starlight.owner).last_signed_in_at is None

    found = sign_in(f" {cast.starlight.owner.upper()} ", PASSWORD)

    assert found is not None
    assert found.email == cast.starlight.owner
    assert found.last_signed_in_at is not None
    assert abs((now() - found.last_signed_in_at).total_seconds()) < 60


def test_wrong_and_unknown_get_the_same_answer(cast: Cast) -> None:
    for email, password in (
        (cast.starlight.owner, PASSWORD.upper()),
        (cast.starlight.owner, ""),
        ("nobody@starlight.example", PASSWORD),
        ("a\0b@starlight.example", PASSWORD),
        ("' OR 1=1 --", PASSWORD),
    ):
        assert sign_in(email, password) is None
    assert member(cast.starlight.owner).last_signed_in_at is None


def test_wrong_and_unknown_take_the_same_work(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is one hash of equal cost; everything else of the answer is some thousandth of it."""
    costs: list[Parameters] = []

    class Watched(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - argon2's own name
            costs.append(extract_parameters(str(hash)))
            return super().verify(hash, password)

    monkeypatch.setattr(secrets, "_hasher", Watched.from_parameters(extract_parameters(secrets.hash_password("x"))))
    sign_in(cast.starlight.owner, "another password")
    sign_in("nobody@starlight.example", "another password")

    wrong, unknown = costs
    assert wrong == unknown


def test_at_most_two_passwords_are_hashed_at_once() -> None:
    """Each takes 64 MiB and a core: many people at the door must not bring the house down."""
    done = threading.Event()

    def third() -> None:
        secrets.password_matches(None, PASSWORD)
        done.set()

    waiting = threading.Thread(target=third)
    with secrets._hashing, secrets._hashing:
        waiting.start()
        assert not done.wait(0.3)
    waiting.join(30)

    assert done.is_set()


def test_a_broken_stored_hash_matches_nothing() -> None:
    assert not secrets.password_matches("", PASSWORD)
    assert not secrets.password_matches("no hash", PASSWORD)


def test_a_session_lasts_until_its_stamp_changes(cast: Cast) -> None:
    owner = member(cast.starlight.owner)
    cookie = owner.get_id()
    found = member_of_session(cookie)
    assert found is not None
    assert found.id == owner.id

    accounts.sign_out_everywhere(owner, CAST)

    assert member_of_session(cookie) is None
    assert member_of_session(member(cast.starlight.owner).get_id()) is not None


@SQLITE
def test_a_new_password_ends_every_other_session(cast: Cast) -> None:
    owner = member(cast.starlight.owner)
    cookie = owner.get_id()

    with pytest.raises(InvalidRequest) as refused:
        accounts.change_password(owner, "not my password", "a new long password", CAST)
    assert set(refused.value.fields) == {"password"}
    assert member_of_session(cookie) is not None

    accounts.change_password(owner, PASSWORD, "a new long password", CAST)
    assert member_of_session(cookie) is None
    assert sign_in(cast.starlight.owner, PASSWORD) is None
    assert sign_in(cast.starlight.owner, "a new long password") is not None


def test_a_cookie_of_nobody_is_nobody(app: Flask) -> None:
    for cookie in ("", ":", "nobody:stamp", "nobody", "member_x:"):
        assert member_of_session(cookie) is None


def test_a_removed_members_cookie_is_nobodys(cast: Cast) -> None:
    cookie = member(cast.starlight.viewer).get_id()
    with writing() as session:
        session.delete(member(cast.starlight.viewer))

    assert member_of_session(cookie) is None


def test_secrets_are_random_and_told_apart_by_their_hint() -> None:
    made = {secrets.new_secret("pp") for _ in range(100)}

    assert len(made) == 100
    for secret in made:
        assert secret.startswith("pp_")
        assert len(secret) >= 3 + 32
        assert secrets.hint(secret) == f"{secret[:7]}…{secret[-4:]}"
        assert len(secrets.fingerprint(secret)) == 64
