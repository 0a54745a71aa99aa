"""Checking passwords: at sign-in, before dangerous actions, and to change them."""

from __future__ import annotations

import threading

from sqlalchemy import select

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.accounts.partners import hash_for
from app.accounts.password_hashing import matching
from app.accounts.password_rules import check_password
from app.accounts.sign_in_throttle import Limit, confirmation_limits, count_try, refund_try, sign_in_limits
from app.accounts.sign_ins import addresses_of, end_all
from app.data.database import free_connection_keeping_rows, writing
from app.data.extensions import db
from app.data.models.partner import Member, SignIn
from app.limits.networks import network_of
from app.refusals import InvalidRequest, Unavailable

# Only a few look-ups of accounts run at once: a hundred threads would keep all other requests from the interpreter.
_lookup_slots = threading.BoundedSemaphore(4)


def accounts_for(email: str, password: str, address: str | None) -> list[Member]:
    """The accounts with this e-mail address and password: none, one, or one in each of several partners. A caller
    cannot find out whether the address or the password was wrong. Raises RateLimited after too many wrong tries from
    `address` or for the account, or Unavailable when too many passwords are being checked."""
    email = email.strip().lower().replace("\x00", "\ufffd")  # Postgres refuses NUL in a query
    with _lookup_slots:
        members = db.session.scalars(select(Member).where(Member.email == email)).all()
        known = network_of(address) in {network_of(each) for each in addresses_of(email)}
        free_connection_keeping_rows()  # from here on no connection is held, not even for refused tries
    right = _matching_hashes(
        [member.password_hash for member in members], password, sign_in_limits(email, address, known)
    )
    return [member for member in members if member.password_hash in right]


def confirm_password(member: Member, password: str) -> None:
    """Check the password before a dangerous action. Raises InvalidRequest naming the field, RateLimited after too many
    wrong ones, or Unavailable when too many passwords are being checked."""
    if not _matching_hashes([member.password_hash], password, confirmation_limits(member.id)):
        raise InvalidRequest("This is not your password. Nothing was changed.", {"password": "not your password"})


def change_password(member: Member, present: str, new: str, actor: Actor, *, here: SignIn | None = None) -> None:
    """Change the password. Every browser of the member is signed out, except the one of `here`. Raises InvalidRequest
    naming the field `password` or `new`, RateLimited or Unavailable."""
    check_password(new, member.name, member.email, member.partner.name if member.partner else "", field="new")
    confirm_password(member, present)
    password_hash = hash_for(member.email, new, member.id)
    with writing() as session:
        member.password_hash = password_hash
        end_all(session, member, but=here)
        record(session, actor, "member.password_changed", member.name, partner_id=member.partner_id, member=member.id)


def _matching_hashes(stored: list[str], password: str, limits: list[Limit]) -> set[str]:
    """The stored hashes that match the password. A try that was right, or that was never checked, does not count."""
    count_try(limits)
    try:
        right = matching(stored, password)
    except Unavailable:
        refund_try(limits)
        raise
    if right:
        refund_try(limits)
    return right
