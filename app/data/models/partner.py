"""Partners, their members, and the apps that own their API keys."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.data.models.base import Base, new_id, now

ROLES = ("owner", "developer", "viewer", "operator")
SCOPES = ("read", "write", "upload")


class PartnerIdentity(Protocol):
    """The part of a partner that look-ups need: of a row, or of a recognised key."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


class Partner(Base):
    """An organisation with a catalog, members, keys and a quota."""

    __tablename__ = "partners"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("partner"))
    # Not unique: an owner who renames their partner must not learn the names of others (decision 18).
    name: Mapped[str] = mapped_column(String(150))
    # Bytes that all builds of the partner may use together. None: no limit.
    build_quota_bytes: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Member(Base):
    """A person who signs in: with a role in one partner, or as an operator, who belongs to no partner. An e-mail
    address has at most one account per partner, each with its own password (decision 18)."""

    __tablename__ = "members"
    __table_args__ = (
        CheckConstraint("(role = 'operator') = (partner_id IS NULL)", name="operator_has_no_partner"),
        CheckConstraint(f"role IN {ROLES}", name="role"),
        UniqueConstraint("partner_id", "email"),
        Index(
            "uq_members_operator_email",
            "email",
            unique=True,
            sqlite_where=text("partner_id IS NULL"),
            postgresql_where=text("partner_id IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("member"))
    partner_id: Mapped[str | None] = mapped_column(ForeignKey("partners.id", ondelete="CASCADE"), index=True)
    email: Mapped[str] = mapped_column(String(254), index=True)
    name: Mapped[str] = mapped_column(String(150))
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_signed_in_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]  # to a few minutes

    partner: Mapped[Partner | None] = relationship(lazy="joined")

    @property
    def is_operator(self) -> bool:
        return self.role == "operator"

    @property
    def may_write(self) -> bool:
        """Viewers only read; all others may change things in their partner."""
        return self.role in {"owner", "developer"}


class SignIn(Base):
    """A member in one browser, from signing in to signing out. The browser's cookie holds a random token, of which only
    the SHA-256 is stored. An ended sign-in is kept for a while: where a sign-in succeeded before, the limits are
    milder."""

    __tablename__ = "sign_ins"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("signin"))
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    address: Mapped[str] = mapped_column(String(64))
    browser: Mapped[str] = mapped_column(String(80))  # "Firefox on Linux"
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_seen_at: Mapped[datetime] = mapped_column(default=now, index=True)  # to a few minutes
    ends_at: Mapped[datetime]  # in any case
    ended_at: Mapped[datetime | None]  # when the member signed out

    member: Mapped[Member] = relationship(lazy="joined", innerjoin=True)


class PasswordLink(Base):
    """A link with which a member sets a new password, once. The person who makes it sees it once; a member has at most
    one, and only its hash is stored."""

    __tablename__ = "password_links"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("link"))
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id", ondelete="CASCADE"), unique=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]

    member: Mapped[Member] = relationship(lazy="joined")


class App(Base):
    """An owner of API keys ("CI", "Component Studio")."""

    __tablename__ = "apps"
    __table_args__ = (UniqueConstraint("partner_id", "name"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("app"))
    partner_id: Mapped[str] = mapped_column(ForeignKey("partners.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(String(200), default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(default=now)

    partner: Mapped[Partner] = relationship(lazy="joined")


class ApiKey(Base):
    """A bearer secret `pp_…` of an app. Only its SHA-256 is stored; the text is shown once."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("key"))
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100), default="", server_default="")
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(24))  # "pp_8fK2…x9Qd": enough to recognise it, not to use it
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str] = mapped_column(String(200))
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]  # chosen when the key was made, or the end of the overlap after rolling it
    rolled: Mapped[bool] = mapped_column(default=False, server_default=false())  # it has a successor
    revoked_at: Mapped[datetime | None]

    app: Mapped[App] = relationship(lazy="joined")


class Invitation(Base):
    """An address that may become a member. The inviter sees the link once; only its hash is stored."""

    __tablename__ = "invitations"
    __table_args__ = (UniqueConstraint("partner_id", "email"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("invitation"))
    partner_id: Mapped[str] = mapped_column(ForeignKey("partners.id", ondelete="CASCADE"), index=True)
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[str] = mapped_column(String(16))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]

    partner: Mapped[Partner] = relationship(lazy="joined")
