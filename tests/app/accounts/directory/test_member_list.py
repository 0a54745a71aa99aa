"""Members and invitations as one list: search, roles, orders and pages."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.accounts.directory import member_list
from app.accounts.directory.member_list import INVITED, MEMBER_ORDERS, MemberFilter, MemberList, list_members
from app.accounts.members import invite
from app.data.database import writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.partner import Member, Partner
from tests.conftest import CAST, Cast

PEOPLE = [("Zoë Ahn", "viewer"), ("bo Larsen", "developer"), ("Ada Ngo", "developer"), ("Mira Okafor", "owner")]


@pytest.fixture
def partner(cast: Cast) -> Partner:
    partner = db.session.get_one(Partner, cast.moonbase.partner_id)
    with writing() as session:
        for place, (name, role) in enumerate(PEOPLE):
            email = f"{name[:2].strip().lower()}@moonbase.example".replace("ë", "e")
            seen = now() - timedelta(hours=place) if place else None
            session.add(
                Member(partner_id=partner.id, email=email, name=name, role=role, password_hash="x", last_seen_at=seen)
            )
    invite(partner, "noor@moonbase.example", "owner", CAST)
    return partner


def names(found: MemberList) -> list[str]:
    return [person.name if isinstance(person, Member) else person.email for person in found.people]


def test_owners_come_first_and_invitations_last(partner: Partner) -> None:
    found = list_members(partner, MemberFilter())
    shown = names(found)
    assert shown.index("Mira Okafor") < shown.index("Ada Ngo") < shown.index("bo Larsen") < shown.index("Zoë Ahn")
    assert shown[-1] == "noor@moonbase.example"
    assert found.members == len(shown) - 1
    assert found.counts[INVITED] == 1


def test_text_and_role_narrow_the_list_but_not_the_counts(partner: Partner) -> None:
    everybody = list_members(partner, MemberFilter())
    assert names(list_members(partner, MemberFilter("zoe"))) == ["Zoë Ahn"]
    assert names(list_members(partner, MemberFilter("NOOR@"))) == ["noor@moonbase.example"]
    assert names(list_members(partner, MemberFilter(role=INVITED))) == ["noor@moonbase.example"]
    developers = list_members(partner, MemberFilter(role="developer"))
    assert {"Ada Ngo", "bo Larsen"} <= set(names(developers))
    assert developers.counts == everybody.counts
    assert list_members(partner, MemberFilter("nobody")).matching == 0


@pytest.mark.parametrize("sort", [each for key in MEMBER_ORDERS for each in (key, f"-{key}")])
def test_each_order_has_everybody_and_invitations_last(partner: Partner, sort: str) -> None:
    shown = names(list_members(partner, MemberFilter(sort=sort)))
    assert sorted(shown) == sorted(names(list_members(partner, MemberFilter())))
    assert shown[-1] == "noor@moonbase.example"
    if sort == "name":
        assert shown[:-1] == sorted(shown[:-1], key=str.lower)
    if sort == "-seen":
        assert [name for name in shown if name in dict(PEOPLE)] == ["bo Larsen", "Ada Ngo", "Mira Okafor", "Zoë Ahn"]


def test_pages_have_everybody_once(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = names(list_members(partner, MemberFilter(sort="email")))
    monkeypatch.setattr(member_list, "MEMBERS_PER_PAGE", 3)
    found: list[str] = []
    for page in range(1, 2 + len(whole) // 3):
        found += names(list_members(partner, MemberFilter(sort="email", page=page)))
    assert found == whole or found[: len(whole)] == whole
    last = names(list_members(partner, MemberFilter(sort="email", page=99)))
    assert last == whole[len(whole) - len(last) :]
