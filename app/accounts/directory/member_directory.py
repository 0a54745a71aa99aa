"""Members of all partners, and operators, for the command line."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import contains_eager

from app.data.extensions import db
from app.data.models.base import now
from app.data.models.partner import Invitation, Member, Partner
from app.refusals import Conflict, NotFound


def all_members(partner: Partner | None = None) -> Sequence[Member]:
    """Of one partner, or of all with the operators: by partner, operators first, then by e-mail address."""
    query = select(Member).outerjoin(Member.partner).options(contains_eager(Member.partner))
    query = query.order_by(func.coalesce(func.lower(Partner.name), ""), Member.email)
    if partner is not None:
        query = query.where(Member.partner_id == partner.id)
    return db.session.scalars(query).all()


def all_invitations(partner: Partner | None = None) -> Sequence[Invitation]:
    """Open ones of one partner or of all, by partner and e-mail address."""
    query = select(Invitation).join(Invitation.partner).options(contains_eager(Invitation.partner))
    query = query.where(Invitation.expires_at > now())
    if partner is not None:
        query = query.where(Invitation.partner_id == partner.id)
    return db.session.scalars(query.order_by(func.lower(Partner.name), Invitation.email)).all()


def member_with_email(email: str, partner: Partner | None = None, *, operator: bool = False) -> Member:
    """The account with this address, in this partner or of an operator if one is named. Raises NotFound, or Conflict
    when several accounts have the address."""
    query = select(Member).where(Member.email == email.strip().lower())
    if partner is not None or operator:
        query = query.where(Member.partner_id == (partner.id if partner else None))
    members = db.session.scalars(query).all()
    if not members:
        raise NotFound(f"No account has the address {email}. `flask member create` creates a member.")
    if len(members) > 1:
        names = ", ".join(sorted(member.partner.name if member.partner else "the operators" for member in members))
        raise Conflict(f"{email} has an account in each of {names}. Choose one with --partner or --operator.")
    return members[0]
