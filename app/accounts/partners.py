"""Partners and their members' accounts."""

from __future__ import annotations

import re

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.accounts.display_names import checked_name
from app.accounts.password_hashing import hash_password
from app.accounts.password_rules import check_password
from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.partner import App, Member, Partner
from app.refusals import Conflict, InvalidRequest, NotFound
from app.topics.names import KEYS_TOPIC

# One @, and around it only characters that an address may have: no space, control character or half a surrogate pair.
_ADDRESS = r"[^@\s\x00-\x1f\x7f\ud800-\udfff]+@[^@\s\x00-\x1f\x7f\ud800-\udfff]+"
DASHBOARD_APP = "Dashboard"  # owns what members upload in the browser (decision 17)


def create_partner(name: str, actor: Actor) -> Partner:
    """A partner with its built-in app. Raises InvalidRequest, or Conflict when the name is taken."""
    name = checked_partner_name(name)
    with writing() as session:
        if session.scalar(select(Partner).where(func.lower(Partner.name) == name.lower())):
            raise Conflict(f"A partner named '{name}' exists already. Choose another name.")
        partner = Partner(name=name)
        session.add(partner)
        session.flush()
        session.add(App(partner_id=partner.id, name=DASHBOARD_APP))
        record(session, actor, "partner.created", name, partner_id=partner.id)
    return partner


def dashboard_app_id(partner_id: str) -> str:
    """The built-in app, which owns what members upload in the browser."""
    return db.session.scalars(select(App.id).where(App.partner_id == partner_id, App.name == DASHBOARD_APP)).one()


def checked_partner_name(name: str) -> str:
    """The name without surrounding space. Raises InvalidRequest."""
    return checked_name(name, 150, "The partner's name")


def checked_email(email: str) -> str:
    """The address in its stored form. Raises InvalidRequest."""
    email = email.strip().lower()
    if not re.fullmatch(_ADDRESS, email) or len(email) > 254:
        raise InvalidRequest(f"'{email}' is not an e-mail address.", {"email": "not an e-mail address"})
    return email


def partner_named(name: str) -> Partner:
    """The partner with this name or id. Raises NotFound, or Conflict when several have the name."""
    name = name.strip()
    found = db.session.scalars(
        select(Partner).where(or_(func.lower(Partner.name) == name.lower(), Partner.id == name)).order_by(Partner.id)
    ).all()
    if not found:
        raise NotFound(f"No partner named '{name}'. `flask partner create` creates one.")
    if len(found) > 1:
        ids = ", ".join(partner.id for partner in found)
        raise Conflict(f"{len(found)} partners are named '{name}'. Give the id of one instead: {ids}.")
    return found[0]


def create_member(partner: Partner | None, email: str, name: str, role: str, password: str, actor: Actor) -> Member:
    """A person who can sign in; `partner` is None for an operator. Raises InvalidRequest or Conflict."""
    email = checked_email(email)
    if (role == "operator") != (partner is None) or role not in {"owner", "developer", "viewer", "operator"}:
        raise InvalidRequest(
            "The role must be owner, developer or viewer in a partner, or operator outside of one.", {"role": "unknown"}
        )
    name = checked_name(name.strip() or email, 150, "The person's name")
    check_password(password, name, email, partner.name if partner else "")
    partner_id = partner.id if partner else None
    password_hash = hash_for(email, password)  # before the transaction: it takes a while
    with writing() as session:
        require_free_email(session, partner_id, email)
        member = Member(partner_id=partner_id, email=email, name=name, role=role, password_hash=password_hash)
        session.add(member)
        session.flush()
        subject = f"{member.name} ({role})"
        record(session, actor, "member.created", subject, partner_id=partner_id, member=member.id)
    return member


def require_free_email(
    session: Session, partner_id: str | None, email: str, instead: str = "Use another address."
) -> None:
    """Raises Conflict if a member of the partner (None: an operator) has this address. Members of other partners are
    not looked at, so that nobody learns of them here."""
    if session.scalar(select(Member.id).where(Member.email == email, Member.partner_id == partner_id)):
        where = "in this partner" if partner_id else "as an operator"
        raise Conflict(f"{email} already has an account {where}. {instead}")


def hash_for(email: str, password: str, member_id: str | None = None) -> str:
    """The password's hash for an account with this address. All accounts of one address share a salt, so that trying a
    password costs the same for any number of them. `member_id`: the member whose password changes. Raises
    Unavailable."""
    others = select(Member.password_hash).where(Member.email == email).order_by(Member.created_at).limit(1)
    if member_id is not None:
        others = others.where(Member.id != member_id)
    return hash_password(password, like=db.session.scalar(others))


def rename_member(member: Member, name: str, actor: Actor) -> None:
    """Change the name that others see. Raises InvalidRequest."""
    name = checked_name(name, 150, "Your name")
    with writing() as session:
        member.name = name
        record(session, actor, "member.renamed", name, partner_id=member.partner_id, member=member.id)


def set_build_quota(partner: Partner, limit: int | None, actor: Actor) -> None:
    """Set how many bytes of builds a partner may store; None for no limit. Stored builds stay."""
    if limit is not None and limit < 0:
        raise InvalidRequest("A quota is a number of bytes of at least 0.", {"quota": "at least 0"})
    with writing() as session:
        partner.build_quota_bytes = limit
        record(session, actor, "partner.quota_set", partner.name, partner_id=partner.id, bytes=limit)


def rename_partner(partner: Partner, name: str, actor: Actor) -> None:
    """Another partner may have the same name: refusing it would tell an owner who else is here. Raises
    InvalidRequest."""
    name = checked_partner_name(name)
    with writing() as session:
        partner.name = name
        announce(KEYS_TOPIC)
        record(session, actor, "partner.renamed", name, partner_id=partner.id)
