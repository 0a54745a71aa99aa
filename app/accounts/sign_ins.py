"""Sign-ins: begun with a password or a link, found by the token in a browser's cookie, ended here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, delete, not_, select, update
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.accounts.secrets import fingerprint, new_secret
from app.data.database import announce, in_batches, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.partner import Member, PasswordLink, SignIn
from app.refusals import Conflict, NotFound
from app.topics.names import SIGN_INS_TOPIC

MAX_IDLE = timedelta(days=14)
MAX_AGE = timedelta(days=30)
MAX_ACTIVE = 50  # per member; one more ends the one that was unused for longest
RETENTION = timedelta(days=90)  # after it was last used
# Writing "last seen" on every request would make every read a write.
RECORD_SEEN_EVERY = timedelta(minutes=5)


def begin_sign_in(
    member: Member, address: str | None, browser: str, *, replaces: str | None = None
) -> tuple[SignIn, str]:
    """Begin a sign-in of a member who has just proved who they are. Returns it and the token for the cookie.
    `replaces`: the browser's previous token, which ends. Raises Conflict if the member was removed or got another
    password meanwhile."""
    member_id, proved, token = member.id, member.password_hash, new_secret("signin")
    with writing() as session:
        # Locked, so that a change of the password either comes first, and is seen here, or comes later, and ends this
        # sign-in too.
        locked = select(Member.password_hash).where(Member.id == member_id).with_for_update(key_share=True)
        if session.scalar(locked) != proved:
            raise Conflict("This account was changed a moment ago. Sign in again.")
        present = now()
        if replaces:
            _end(session, SignIn.token_hash == fingerprint(replaces))
        _make_room(session, member_id, address or "")
        found = SignIn(
            member_id=member_id,
            token_hash=fingerprint(token),
            address=(address or "")[:64],
            browser=browser[:80],
            created_at=present,
            last_seen_at=present,
            ends_at=present + MAX_AGE,
        )
        session.add(found)
        member.last_signed_in_at = member.last_seen_at = present
        session.flush()
        session.refresh(found, ["member"])
    return found, token


def _make_room(session: Session, member_id: str, address: str) -> None:
    active_sign_ins = (
        select(SignIn.id).where(SignIn.member_id == member_id, _is_living()).order_by(SignIn.last_seen_at.desc())
    )
    if unused := session.scalars(active_sign_ins.offset(MAX_ACTIVE - 1)).all():
        _end(session, SignIn.id.in_(unused))
    # Ended sign-ins tell from where the member signed in before. One per address is enough.
    session.execute(
        delete(SignIn).where(SignIn.member_id == member_id, SignIn.address == address[:64], not_(_is_living()))
    )


def sign_in_of(token: str) -> SignIn | None:
    """The active sign-in with this token, and its member, in one query."""
    return db.session.scalar(select(SignIn).where(SignIn.token_hash == fingerprint(token), _is_living()))


def record_seen(sign_in: SignIn) -> None:
    """Record when the member was last here, to a few minutes. The sign-in and its member stay readable without a
    connection, as if nothing had been written."""
    if now() - sign_in.last_seen_at > RECORD_SEEN_EVERY:
        sign_in_id, member_id = sign_in.id, sign_in.member_id
        with writing() as session:
            session.execute(update(SignIn).where(SignIn.id == sign_in_id).values(last_seen_at=now()))
            session.execute(update(Member).where(Member.id == member_id).values(last_seen_at=now()))
            session.refresh(sign_in)  # with its member, in one query


def sign_ins_of(member: Member) -> Sequence[SignIn]:
    """The member's active sign-ins, the one used last first."""
    return db.session.scalars(
        select(SignIn).where(SignIn.member_id == member.id, _is_living()).order_by(SignIn.last_seen_at.desc())
    ).all()


def addresses_of(email: str) -> set[str]:
    """The addresses from which accounts with this e-mail address signed in."""
    known = select(SignIn.address).join(Member, SignIn.member_id == Member.id).where(Member.email == email)
    return set(db.session.scalars(known.distinct()))


def end_sign_in(token: str) -> None:
    """Sign out: the token stops working, and its live pages end."""
    with writing() as session:
        _end(session, SignIn.token_hash == fingerprint(token))


def end_one(member: Member, sign_in_id: str, actor: Actor) -> SignIn:
    """Sign another browser of the member out. Raises NotFound, also for another member's."""
    member_id = member.id
    with writing() as session:
        found = session.scalar(select(SignIn).where(SignIn.id == sign_in_id, _is_living()))
        if found is None or found.member_id != member_id:
            raise NotFound("This browser is signed out already.")
        _end(session, SignIn.id == sign_in_id)
        record(session, actor, "member.browser_signed_out", found.browser, partner_id=member.partner_id)
    return found


def sign_out_everywhere(member: Member, actor: Actor) -> None:
    """End every sign-in of the member, including this one, and any open password link."""
    with writing() as session:
        end_all(session, member)
        record(
            session, actor, "member.signed_out_everywhere", member.name, partner_id=member.partner_id, member=member.id
        )


def end_all(session: Session, member: Member, *, but: SignIn | None = None) -> None:
    """Inside a transaction: end all sign-ins of the member and any open password link."""
    which = SignIn.member_id == member.id
    _end(session, and_(which, SignIn.id != but.id) if but is not None else which)
    session.execute(delete(PasswordLink).where(PasswordLink.member_id == member.id))


def roles_of_active(sign_in_ids: Iterable[str]) -> dict[str, str]:
    """The role of each member by sign-in, for the sign-ins among these that are still active. One query for up to
    5,000."""
    found: dict[str, str] = {}
    for ids in in_batches(set(sign_in_ids)):
        query = select(SignIn.id, Member.role).join(Member, SignIn.member_id == Member.id)
        found.update({row.id: row.role for row in db.session.execute(query.where(SignIn.id.in_(ids), _is_living()))})
    return found


def delete_old_sign_ins(session: Session) -> None:
    """Inside a transaction: delete sign-ins that were last used long ago."""
    session.execute(delete(SignIn).where(SignIn.last_seen_at < now() - RETENTION))


def _end(session: Session, which: ColumnElement[bool]) -> None:
    ending = update(SignIn).where(which, SignIn.ended_at.is_(None)).values(ended_at=now()).returning(SignIn.id)
    if session.scalars(ending).all():
        announce(SIGN_INS_TOPIC)


def _is_living() -> ColumnElement[bool]:
    present = now()
    return and_(SignIn.ended_at.is_(None), SignIn.ends_at > present, SignIn.last_seen_at > present - MAX_IDLE)
