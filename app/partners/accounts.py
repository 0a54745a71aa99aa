"""Partners and the people in them."""

from __future__ import annotations

import re

from sqlalchemy import func, select

from app.database import writing
from app.extensions import db
from app.models import App, Member, Partner, now
from app.partners.actors import Actor
from app.partners.audit import record
from app.partners.secrets import hash_password, password_matches
from app.refusals import Conflict, InvalidRequest, NotFound

LEAST_PASSWORD = 10
DASHBOARD_APP = "Dashboard"  # owns what members upload in the browser (DECISIONS 17)


def create_partner(name: str, actor: Actor) -> Partner:
    """A partner with its built-in app. Raises InvalidRequest, or Conflict when the name is taken."""
    name = name.strip()
    if not 1 <= len(name) <= 150:
        raise InvalidRequest("The partner's name must have 1 to 150 characters.", {"name": "1 to 150 characters"})
    with writing() as session:
        if session.scalar(select(Partner).where(func.lower(Partner.name) == name.lower())):
            raise Conflict(f"A partner named '{name}' exists already. Choose another name.")
        partner = Partner(name=name)
        session.add(partner)
        session.flush()
        session.add(App(partner_id=partner.id, name=DASHBOARD_APP))
        record(session, actor, "partner.created", name, partner_id=partner.id)
    return partner


def partner_named(name: str) -> Partner:
    """Raises NotFound."""
    partner = db.session.scalar(select(Partner).where(func.lower(Partner.name) == name.strip().lower()))
    if partner is None:
        raise NotFound(f"No partner named '{name}'. `flask partner create` makes one.")
    return partner


def create_member(partner: Partner | None, email: str, name: str, role: str, password: str, actor: Actor) -> Member:
    """A person who can sign in; `partner` is None for an operator. Raises InvalidRequest or Conflict."""
    email = email.strip().lower()
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", email) or len(email) > 254:
        raise InvalidRequest(f"'{email}' is not an e-mail address.", {"email": "not an e-mail address"})
    if (role == "operator") != (partner is None) or role not in {"owner", "developer", "viewer", "operator"}:
        raise InvalidRequest(
            "The role must be owner, developer or viewer in a partner, or operator outside of one.", {"role": "unknown"}
        )
    if len(password) < LEAST_PASSWORD:
        raise InvalidRequest(
            f"The password has {len(password)} characters; it needs at least {LEAST_PASSWORD}.",
            {"password": f"at least {LEAST_PASSWORD} characters"},
        )
    password_hash = hash_password(password)  # before the transaction: it takes a while
    partner_id = partner.id if partner else None
    with writing() as session:
        if session.scalar(select(Member).where(Member.email == email)):
            raise Conflict(f"Somebody signs in with {email} already. Use another address.")
        member = Member(
            partner_id=partner_id, email=email, name=name.strip() or email, role=role, password_hash=password_hash
        )
        session.add(member)
        record(session, actor, "member.created", f"{member.name} ({role})", partner_id=partner_id)
    return member


def sign_in(email: str, password: str) -> Member | None:
    """The member with this address and password, or None; nothing tells which of the two was wrong."""
    member = db.session.scalar(select(Member).where(Member.email == email.strip().lower()))
    if not password_matches(member.password_hash if member else None, password):
        return None
    if member is not None:
        with writing():
            member.last_signed_in_at = now()
    return member


def member_of_session(stamped_id: str) -> Member | None:
    """Flask-Login's user loader: the member, unless the stamp in the cookie is an older one."""
    member_id, _, stamp = stamped_id.partition(":")
    member = db.session.get(Member, member_id)
    return member if member and member.session_stamp == stamp else None
