"""Partners and people: made, told apart, and their secrets."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.models import App, AuditEntry, Member, Partner
from app.partners import secrets
from app.partners.accounts import create_member, create_partner, partner_named, rename_partner
from app.refusals import Conflict, InvalidRequest, NotFound
from tests.conftest import CAST, PASSWORD, Cast

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


def test_addresses_are_kept_in_one_form_and_have_one_account_in_a_partner(app: Flask, cast: Cast) -> None:
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    made = create_member(partner, "  Mira.Okafor@Starlight.Example ", "Mira", "owner", PASSWORD, CAST)

    assert made.email == "mira.okafor@starlight.example"
    with pytest.raises(Conflict, match=r"mira\.okafor@starlight"):
        create_member(partner, "MIRA.OKAFOR@starlight.example", "Other", "viewer", PASSWORD, CAST)
    with pytest.raises(Conflict, match="as an operator"):
        create_member(None, cast.operator, "Other", "operator", PASSWORD, CAST)


def test_what_is_no_address_is_refused(app: Flask, subtests: pytest.Subtests) -> None:
    for email in ("", "mira", "mira@", "@b", "a b@c", "a@b c", "a@b@c", "x" * 251 + "@a.b", "a\0@b.c", "a\n@b"):
        with subtests.test(email=email[:10]):
            with pytest.raises(InvalidRequest) as refused:
                create_member(None, email, "Mira", "operator", PASSWORD, CAST)
            assert set(refused.value.fields) == {"email"}


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


def test_partners_may_have_one_name_and_are_told_apart_by_their_ids(app: Flask) -> None:
    first, second = create_partner("Kite Works", CAST), create_partner("Low Tide", CAST)
    rename_partner(second, "kite works", CAST)

    with pytest.raises(Conflict, match=f"2 partners are named 'Kite Works'.*{first.id}"):
        partner_named("Kite Works")
    assert partner_named(second.id).id == second.id


def test_secrets_are_random_and_told_apart_by_their_hint() -> None:
    made = {secrets.new_secret("pp") for _ in range(100)}

    assert len(made) == 100
    for secret in made:
        assert secret.startswith("pp_")
        assert len(secret) >= 3 + 32
        assert secrets.hint(secret) == f"{secret[:7]}…{secret[-4:]}"
        assert len(secrets.fingerprint(secret)) == 64
