"""What the app records about itself: the audit log, answered requests, versions of live topics."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from app.data.models.base import Base, now

MAX_SUBJECT = 300  # characters


class AuditEntry(Base):
    """Append-only: who did what to what, from where. Without foreign keys, because an entry outlives its subject."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_partner_id_id", "partner_id", "id"),
        Index("ix_audit_entries_game_id_id", "game_id", "id"),
        Index("ix_audit_entries_game_id_action_id", "game_id", "action", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    partner_id: Mapped[str | None] = mapped_column(String(40))
    game_id: Mapped[str | None] = mapped_column(String(40))
    actor: Mapped[str] = mapped_column(String(200))  # "Mira Okafor", "CI · pp_8fK2…x9Qd", "command line"
    address: Mapped[str | None] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64), index=True)  # "game.created", "build.refused"
    subject: Mapped[str] = mapped_column(String(MAX_SUBJECT))  # for people: "The Garden of Forking Paths, build 3"
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)


class DismissedRefusal(Base):
    """A member has read that an archive was rejected and removed it from the list of builds. The entry itself stays."""

    __tablename__ = "dismissed_refusals"

    entry_id: Mapped[int] = mapped_column(ForeignKey("audit_entries.id", ondelete="CASCADE"), primary_key=True)
    dismissed_by: Mapped[str] = mapped_column(String(200))
    dismissed_at: Mapped[datetime] = mapped_column(default=now)


class AnsweredRequest(Base):
    """The answer to a POST with an Idempotency-Key, for 24 hours."""

    __tablename__ = "answered_requests"

    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))  # SHA-256 of method, path and body
    status: Mapped[int | None]  # None until the first request is answered
    body: Mapped[str | None] = mapped_column(Text)
    headers: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))  # [name, value] each
    # The body is not the answer but the input for making it: the answer holds addresses that must not be stored.
    made_anew: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)


class Topic(Base):
    """The version of a topic that pages and agents watch (`game:<id>`, `plan:<server>`).

    Written in the same transaction as the change it announces, so that a version is never ahead of its facts.
    """

    __tablename__ = "topics"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, default=1)
    changed_at: Mapped[datetime] = mapped_column(default=now, index=True)
