"""Partners and the people in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.database import in_batches, writing
from app.extensions import db
from app.models import App, Member, Partner, PasswordLink, new_id, now
from app.partners.actors import Actor
from app.partners.audit import record
from app.partners.names import checked_name
from app.partners.secrets import hash_password, password_matches
from app.refusals import Conflict, InvalidRequest, NotFound

LEAST_PASSWORD, MOST_PASSWORD = 10, 1000
SEEN_EVERY = timedelta(minutes=1)
# One @, and nothing around it that is no character of an address: space, controls, half a surrogate pair.
_ADDRESS = r"[^@\s\x00-\x1f\x7f\ud800-\udfff]+@[^@\s\x00-\x1f\x7f\ud800-\udfff]+"
DASHBOARD_APP = "Dashboard"  # owns what members upload in the browser (DECISIONS 17)


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
    """The built-in app, to which belongs what members upload in the browser."""
    return db.session.scalars(select(App.id).where(App.partner_id == partner_id, App.name == DASHBOARD_APP)).one()


def checked_partner_name(name: str) -> str:
    """The name without surrounding space. Raises InvalidRequest."""
    return checked_name(name, 150, "The partner's name")


def checked_email(email: str) -> str:
    """The address in the form it is stored in. Raises InvalidRequest."""
    email = email.strip().lower()
    if not re.fullmatch(_ADDRESS, email) or len(email) > 254:
        raise InvalidRequest(f"'{email}' is not an e-mail address.", {"email": "not an e-mail address"})
    return email


def check_password(password: str) -> None:
    """Raises InvalidRequest for one that is too short, or longer than the sign-in form takes."""
    if len(password) > MOST_PASSWORD:
        raise InvalidRequest(
            f"The password has {len(password):,} characters; it can have at most {MOST_PASSWORD:,}.",
            {"password": f"at most {MOST_PASSWORD:,} characters"},
        )
    if len(password) < LEAST_PASSWORD:
        raise InvalidRequest(
            f"The password has {len(password)} characters; it needs at least {LEAST_PASSWORD}.",
            {"password": f"at least {LEAST_PASSWORD} characters"},
        )


def partner_named(name: str) -> Partner:
    """Raises NotFound."""
    partner = db.session.scalar(select(Partner).where(func.lower(Partner.name) == name.strip().lower()))
    if partner is None:
        raise NotFound(f"No partner named '{name}'. `flask partner create` makes one.")
    return partner


def create_member(partner: Partner | None, email: str, name: str, role: str, password: str, actor: Actor) -> Member:
    """A person who can sign in; `partner` is None for an operator. Raises InvalidRequest or Conflict."""
    email = checked_email(email)
    if (role == "operator") != (partner is None) or role not in {"owner", "developer", "viewer", "operator"}:
        raise InvalidRequest(
            "The role must be owner, developer or viewer in a partner, or operator outside of one.", {"role": "unknown"}
        )
    check_password(password)
    name = checked_name(name.strip() or email, 150, "The person's name")
    password_hash = hash_password(password)  # before the transaction: it takes a while
    partner_id = partner.id if partner else None
    with writing() as session:
        if session.scalar(select(Member).where(Member.email == email)):
            raise Conflict(f"Somebody signs in with {email} already. Use another address.")
        member = Member(partner_id=partner_id, email=email, name=name, role=role, password_hash=password_hash)
        session.add(member)
        record(session, actor, "member.created", f"{member.name} ({role})", partner_id=partner_id)
    return member


def sign_in(email: str, password: str) -> Member | None:
    """The member with this address and password, or None; nothing tells which of the two was wrong."""
    email = email.strip().lower()
    # Postgres cannot even be asked for NUL. No member: the same work is done all the same.
    member = None if "\x00" in email else db.session.scalar(select(Member).where(Member.email == email))
    if not password_matches(member.password_hash if member else None, password):
        return None
    if member is not None:
        with writing():
            member.last_signed_in_at = member.last_seen_at = now()
    return member


def confirm_password(member: Member, password: str) -> None:
    """Ask for the password again before something dangerous. Raises InvalidRequest naming the field."""
    if not password_matches(member.password_hash, password):
        raise InvalidRequest("This is not your password. Nothing was changed.", {"password": "not your password"})


def change_password(member: Member, present: str, new: str, actor: Actor) -> None:
    """A new password; every other browser of the member is signed out. Raises InvalidRequest."""
    confirm_password(member, present)
    check_password(new)
    password_hash = hash_password(new)
    with writing() as session:
        member.password_hash = password_hash
        _end_sessions(session, member)
        record(session, actor, "member.password_changed", member.name, partner_id=member.partner_id)


def rename_member(member: Member, name: str, actor: Actor) -> None:
    """The name others see. Raises InvalidRequest."""
    name = checked_name(name, 150, "Your name")
    with writing() as session:
        member.name = name
        record(session, actor, "member.renamed", name, partner_id=member.partner_id)


def sign_out_everywhere(member: Member, actor: Actor) -> None:
    """End every session of the member, this one too."""
    with writing() as session:
        _end_sessions(session, member)
        record(session, actor, "member.signed_out_everywhere", member.name, partner_id=member.partner_id)


def _end_sessions(session: Session, member: Member) -> None:
    """Whoever is in is out, and an open link for a new password lets nobody in any more."""
    member.session_stamp = new_id("stamp")
    session.execute(delete(PasswordLink).where(PasswordLink.member_id == member.id))


def note_seen(member: Member) -> None:
    """Remember when the member was last here, to the minute."""
    if member.last_seen_at is None or now() - member.last_seen_at > SEEN_EVERY:
        with writing():
            member.last_seen_at = now()


def set_build_quota(partner: Partner, limit: int | None, actor: Actor) -> None:
    """How many bytes of builds a partner may keep; None for no limit. What is stored already stays."""
    if limit is not None and limit < 0:
        raise InvalidRequest("A quota is a number of bytes of at least 0.", {"quota": "at least 0"})
    with writing() as session:
        partner.build_quota_bytes = limit
        record(session, actor, "partner.quota_set", partner.name, partner_id=partner.id, bytes=limit)


def rename_partner(partner: Partner, name: str, actor: Actor) -> None:
    """Raises InvalidRequest, or Conflict when the name is taken."""
    name = checked_partner_name(name)
    with writing() as session:
        other = session.scalar(select(Partner).where(func.lower(Partner.name) == name.lower()))
        if other is not None and other.id != partner.id:
            raise Conflict(f"A partner named '{name}' exists already. Choose another name.")
        partner.name = name
        record(session, actor, "partner.renamed", name, partner_id=partner.id)


def living_sessions(sessions: Iterable[str]) -> set[str]:
    """Those of these sessions (`Member.get_id()`) that have not been ended; one query for up to 5,000 of them."""
    wanted = set(sessions)
    found: set[str] = set()
    for ids in in_batches({session.partition(":")[0] for session in wanted}):
        rows = db.session.execute(select(Member.id, Member.session_stamp).where(Member.id.in_(ids)))
        found.update(f"{member_id}:{stamp}" for member_id, stamp in rows)
    return wanted & found


def member_of_session(stamped_id: str) -> Member | None:
    """Flask-Login's user loader: the member, unless the stamp in the cookie is an older one."""
    member_id, _, stamp = stamped_id.partition(":")
    member = db.session.get(Member, member_id)
    return member if member and member.session_stamp == stamp else None
