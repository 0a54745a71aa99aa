"""A partner's members: invitations, roles, removal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.accounts.display_names import checked_name
from app.accounts.partners import checked_email, hash_for, require_free_email
from app.accounts.password_rules import check_password
from app.accounts.secrets import fingerprint, new_secret
from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.partner import Invitation, Member, Partner
from app.refusals import Conflict, InvalidRequest, NotFound
from app.topics.names import SIGN_INS_TOPIC

INVITATION_LIFETIME = timedelta(days=7)
PARTNER_ROLES = ("owner", "developer", "viewer")


def members_of(partner: Partner) -> Sequence[Member]:
    """Owners first, then by name."""
    found = db.session.scalars(select(Member).where(Member.partner_id == partner.id)).all()
    return sorted(found, key=lambda member: (PARTNER_ROLES.index(member.role), member.name.lower()))


def member_of(partner: Partner, member_id: str) -> Member:
    """A member of this partner. Raises NotFound (also for another partner's)."""
    return _member(db.session(), partner.id, member_id)


def open_invitations(partner: Partner) -> Sequence[Invitation]:
    """Invitations that can still be accepted, oldest first."""
    return db.session.scalars(
        select(Invitation)
        .where(Invitation.partner_id == partner.id, Invitation.expires_at > now())
        .order_by(Invitation.created_at)
    ).all()


def invite(partner: Partner, email: str, role: str, actor: Actor) -> tuple[Invitation, str]:
    """An invitation and the secret of its link, which is shown once. Inviting an address again replaces the link."""
    email, role = checked_email(email), _checked_role(role)
    secret = new_secret("inv")
    partner_id = partner.id
    with writing() as session:
        _lock_partner(session, partner_id)
        require_free_email(session, partner_id, email)
        invitation = session.scalar(
            select(Invitation).where(Invitation.partner_id == partner_id, Invitation.email == email)
        ) or Invitation(partner_id=partner_id, email=email)
        invitation.role = role
        invitation.token_hash = fingerprint(secret)
        invitation.created_by = actor.name
        invitation.expires_at = now() + INVITATION_LIFETIME
        session.add(invitation)
        session.flush()
        subject = f"{email} ({role})"
        record(session, actor, "member.invited", subject, partner_id=partner_id, invitation=invitation.id)
    return invitation, secret


def withdraw(partner: Partner, invitation_id: str, actor: Actor) -> str:
    """Make an invitation's link useless. Returns the invited address. Raises NotFound."""
    partner_id = partner.id
    with writing() as session:
        invitation = _invitation(session, partner_id, invitation_id)
        email = invitation.email
        record(session, actor, "member.invitation_withdrawn", email, partner_id=partner_id)
        session.delete(invitation)
    return email


def change_invited_role(partner: Partner, invitation_id: str, role: str, actor: Actor) -> Invitation:
    """Change the role that the invitation gives. The link stays the same. Raises NotFound or InvalidRequest."""
    role = _checked_role(role)
    with writing() as session:
        invitation = _invitation(session, partner.id, invitation_id)
        invitation.role = role
        subject = f"{invitation.email} ({role})"
        record(session, actor, "member.invited", subject, partner_id=invitation.partner_id, invitation=invitation.id)
    return invitation


def renew_invitation(partner: Partner, invitation_id: str, actor: Actor) -> tuple[Invitation, str]:
    """A new link for the same address and role; the old one stops working. Raises NotFound."""
    invitation = _invitation(db.session(), partner.id, invitation_id)
    return invite(partner, invitation.email, invitation.role, actor)


def invitation_by_id(partner: Partner, invitation_id: str) -> Invitation:
    """An invitation of this partner. Raises NotFound (also for another partner's)."""
    return _invitation(db.session(), partner.id, invitation_id)


def invitation_of(secret: str) -> Invitation:
    """The open invitation with this secret. Raises NotFound."""
    found = db.session.scalar(select(Invitation).where(Invitation.token_hash == fingerprint(secret)))
    if found is None or found.expires_at <= now():
        raise NotFound("This invitation was used, withdrawn or is older than 7 days. Ask for a new one.")
    return found


def accept_invitation(secret: str, name: str, password: str, address: str | None) -> Member:
    """Become a member; the link works once. Raises NotFound or InvalidRequest."""
    name, invited = checked_name(name, 150, "Your name"), invitation_of(secret)
    check_password(password, name, invited.email, invited.partner.name)
    password_hash = hash_for(invited.email, password)
    with writing() as session:
        # The link works once, also when it is followed twice at the same moment.
        session.execute(
            select(Invitation.id).where(Invitation.token_hash == fingerprint(secret)).with_for_update()
        ).first()
        invitation = invitation_of(secret)
        require_free_email(session, invitation.partner_id, invitation.email, "Sign in instead.")
        member = Member(
            partner_id=invitation.partner_id,
            email=invitation.email,
            name=name,
            role=invitation.role,
            password_hash=password_hash,
        )
        session.add(member)
        session.delete(invitation)
        session.flush()
        actor, subject = Actor(name, address), f"{name} ({member.role})"
        record(session, actor, "member.joined", subject, partner_id=member.partner_id, member=member.id)
    return member


def change_role(partner: Partner, member_id: str, role: str, actor: Actor) -> Member:
    """Raises NotFound, InvalidRequest, or Conflict for the only owner."""
    role, partner_id = _checked_role(role), partner.id
    with writing() as session:
        _lock_partner(session, partner_id)
        member = _member(session, partner_id, member_id)
        if member.role == "owner" and role != "owner":
            _require_other_owner(session, partner_id)
        if member.role != role:
            member.role = role
            subject = f"{member.name} ({role})"
            record(session, actor, "member.role_changed", subject, partner_id=partner_id, member=member.id)
            announce(SIGN_INS_TOPIC)  # pages that were opened in the old role reload
    return member


def remove_member(partner: Partner, member_id: str, actor: Actor) -> None:
    """End the member's sign-ins and remove the member. Audit entries stay. Raises NotFound, or Conflict for the only
    owner."""
    partner_id = partner.id
    with writing() as session:
        _lock_partner(session, partner_id)
        member = _member(session, partner_id, member_id)
        if member.role == "owner":
            _require_other_owner(session, partner_id)
        record(session, actor, "member.removed", member.name, partner_id=partner_id)
        session.delete(member)
        announce(SIGN_INS_TOPIC)  # the sign-ins were deleted with the member


def remove_all_members(partner: Partner, actor: Actor) -> None:
    """Remove every member and open invitation of a partner that is about to be removed. Repeatable."""
    partner_id = partner.id
    with writing() as session:
        _lock_partner(session, partner_id)
        for member in session.scalars(select(Member).where(Member.partner_id == partner_id).order_by(Member.id)).all():
            record(session, actor, "member.removed", member.name, partner_id=partner_id)
            session.delete(member)
        session.execute(delete(Invitation).where(Invitation.partner_id == partner_id))
        announce(SIGN_INS_TOPIC)  # the sign-ins were deleted with the members


def remove_operator(member_id: str, actor: Actor) -> None:
    """End an operator's sign-ins and remove the operator. Audit entries stay. Raises NotFound, or Conflict for the only
    operator."""
    with writing() as session:
        # All of them stay locked, so that two operators cannot remove each other at the same moment.
        operators = session.scalars(
            select(Member).where(Member.role == "operator").order_by(Member.id).with_for_update(of=Member)
        ).all()
        member = next((operator for operator in operators if operator.id == member_id), None)
        if member is None:
            raise NotFound("This operator does not exist.")
        if len(operators) == 1:
            raise Conflict(
                "This is the only operator. Create another one first: `flask member create`.", "only_operator"
            )
        record(session, actor, "member.removed", member.name)
        session.delete(member)
        announce(SIGN_INS_TOPIC)  # the sign-ins were deleted with the member


def _member(session: Session, partner_id: str, member_id: str) -> Member:
    member = session.get(Member, member_id)
    if member is None or member.partner_id != partner_id:
        raise NotFound("This member does not exist.")
    return member


def _invitation(session: Session, partner_id: str, invitation_id: str) -> Invitation:
    invitation = session.get(Invitation, invitation_id)
    if invitation is None or invitation.partner_id != partner_id:
        raise NotFound("This invitation was already used or withdrawn.")
    return invitation


def _lock_partner(session: Session, partner_id: str) -> None:
    # The partner's row stays locked until the transaction ends, so that two owners cannot remove each other at the same
    # moment.
    session.get_one(Partner, partner_id, with_for_update={"key_share": True})


def _require_other_owner(session: Session, partner_id: str) -> None:
    owners = session.scalar(
        select(func.count()).select_from(Member).where(Member.partner_id == partner_id, Member.role == "owner")
    )
    if owners == 1:
        raise Conflict("This is the only owner. Make somebody else an owner first.", "only_owner")


def _checked_role(role: str) -> str:
    if role not in PARTNER_ROLES:
        raise InvalidRequest(f"A role is one of {', '.join(PARTNER_ROLES)}.", {"role": "unknown"})
    return role
