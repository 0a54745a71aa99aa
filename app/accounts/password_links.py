"""Password links: an owner or operator makes one, and the member sets a new password with it.

No mail is sent, as with invitations: the person who makes the link sends it on.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.accounts.directory.member_directory import member_with_email
from app.accounts.members import member_of
from app.accounts.partners import hash_for
from app.accounts.password_rules import check_password
from app.accounts.secrets import fingerprint, new_secret
from app.accounts.sign_ins import end_all
from app.data.database import writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.partner import Member, Partner, PasswordLink
from app.refusals import NotFound

LINK_LIFETIME = timedelta(days=1)


def link_for_member(partner: Partner, member_id: str, actor: Actor) -> tuple[PasswordLink, str]:
    """A link for a member of this partner, and its secret, which is shown once. An earlier link stops working. Raises
    NotFound."""
    return _make(member_of(partner, member_id), actor)


def link_for_email(
    email: str, actor: Actor, partner: Partner | None = None, *, operator: bool = False
) -> tuple[PasswordLink, str]:
    """The same for an e-mail address (in this partner, or of an operator), for the command line. Raises NotFound, or
    Conflict when several accounts have the address."""
    return _make(member_with_email(email, partner, operator=operator), actor)


def _make(member: Member, actor: Actor) -> tuple[PasswordLink, str]:
    secret = new_secret("pwd")
    with writing() as session:
        # Locked, so that of two links made at the same moment the later one stays.
        here = select(Member.id).where(Member.id == member.id).with_for_update(key_share=True)
        if session.scalar(here) is None:
            raise NotFound("This member does not exist.")
        session.execute(delete(PasswordLink).where(PasswordLink.member_id == member.id))
        link = PasswordLink(
            member_id=member.id,
            token_hash=fingerprint(secret),
            created_by=actor.name,
            expires_at=now() + LINK_LIFETIME,
        )
        session.add(link)
        record(session, actor, "member.password_link_made", member.name, partner_id=member.partner_id, member=member.id)
        session.flush()
        session.refresh(link, ["member"])
    return link, secret


def password_link_of(secret: str) -> PasswordLink:
    """The open link with this secret. Raises NotFound."""
    found = db.session.scalar(select(PasswordLink).where(PasswordLink.token_hash == fingerprint(secret)))
    if found is None or found.expires_at <= now():
        raise NotFound("This link was used or replaced, or is older than a day. Ask for a new one.")
    return found


def set_password(secret: str, password: str, address: str | None) -> Member:
    """Set the member's new password and end all of their sign-ins. The link works once. Raises NotFound, InvalidRequest
    or Unavailable."""
    found = password_link_of(secret).member
    check_password(password, found.name, found.email, found.partner.name if found.partner else "")
    password_hash = hash_for(found.email, password, found.id)  # before the transaction: it takes a while
    with writing() as session:
        # The link works once, also when it is followed twice at the same moment.
        session.execute(
            select(PasswordLink.id).where(PasswordLink.token_hash == fingerprint(secret)).with_for_update()
        ).first()
        link = password_link_of(secret)
        member = link.member
        member.password_hash = password_hash
        end_all(session, member)
        actor = Actor(member.name, address)
        record(session, actor, "member.password_set", member.name, partner_id=member.partner_id, member=member.id)
    return member
