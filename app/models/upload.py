"""Bytes on their way in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, new_id, now


class Upload(Base):
    """One transfer towards a build. The row is written before its first byte is stored, so that whatever a crash
    leaves in the bucket has a row that names it, and the sweeper can remove it."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("upload"))
    game_id: Mapped[str] = mapped_column(ForeignKey("games.id", ondelete="CASCADE"), index=True)
    object_key: Mapped[str] = mapped_column(String(200), unique=True)
    multipart_id: Mapped[str | None] = mapped_column(String(1024))  # the storage's own id of the multipart transfer
    state: Mapped[str] = mapped_column(String(16), default="uploading")
    sent_by: Mapped[str] = mapped_column(String(200))
    # Counted against the partner's quota while bytes flow: the announced length, or 0 for a chunked body.
    reserved_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=now)
    # The receiving process touches this while bytes flow; a row that is not touched belongs to a process that died.
    touched_at: Mapped[datetime] = mapped_column(default=now, index=True)
