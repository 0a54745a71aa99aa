"""Uploads: archives before they become builds."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.data.models.base import Base, new_id, now
from app.data.models.game import MAX_VERSION_LABEL
from slipway.archive.invisible_characters import escape_invisible

RAW, RESUMABLE = "raw", "resumable"
Phase = Literal["uploading", "checking", "done", "failed"]


class Upload(Base):
    """One transfer towards a build. The row is written before the first byte is stored, so that everything a crash
    leaves in the bucket has a row that names it, and the sweep can remove it.

    A raw upload exists as long as its request. A resumable one is `uploading`, `checking`, then `done` or `failed`, and
    is kept until it expires. `discarding` means that it is being removed; lists leave it out.

    A resumable upload may begin before its game exists. Until it is given a game, it stays `uploading`, or has failed.
    """

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("upload"))
    game_id: Mapped[str | None] = mapped_column(ForeignKey("games.id", ondelete="CASCADE"), index=True)
    # The owner of an upload that began without a game; None for the others, which their game's partner owns.
    partner_id: Mapped[str | None] = mapped_column(ForeignKey("partners.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column("door", String(16), default=RAW, server_default=RAW)
    object_key: Mapped[str] = mapped_column(String(200), unique=True)
    multipart_id: Mapped[str | None] = mapped_column(String(1024))  # the storage's own id of the multipart transfer
    state: Mapped[str] = mapped_column(String(16), default="uploading")
    sent_by: Mapped[str] = mapped_column(String(200))
    sent_from: Mapped[str | None] = mapped_column(String(64))  # the client's address, for the audit log
    # Counted against the partner's quota: the announced length until the check ends; for a chunked body, the bytes that
    # have arrived, plus a step. For an upload that is done or failed: bytes in the bucket that are about to be removed.
    reserved_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=now)
    # The heartbeat of the process that works on it: the receiver of a raw upload, or the worker that checks a resumable
    # one. An old time means that the process died. Of a resumable one that is being sent: when it last moved
    # (app/uploads/resumable/sending_times.py).
    touched_at: Mapped[datetime] = mapped_column(default=now, index=True)

    # Only for resumable uploads.
    file_name: Mapped[str | None] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    part_size: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    announced_sha256: Mapped[str | None] = mapped_column(String(64))  # lowercase hex
    note: Mapped[str | None] = mapped_column(Text)
    version_label: Mapped[str | None] = mapped_column(String(MAX_VERSION_LABEL))
    release: Mapped[bool | None]  # None: as the game's setting
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
    checker: Mapped[str | None] = mapped_column(String(40))  # the claim of the one worker that may check it
    checks_begun: Mapped[int] = mapped_column(default=0, server_default="0")  # without freed claims
    bytes_read: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    files_read: Mapped[int] = mapped_column(default=0, server_default="0")
    reason_code: Mapped[str | None] = mapped_column(String(40))
    reason: Mapped[str | None] = mapped_column(Text)
    build_number: Mapped[int | None]  # the build made of it; kept when the build is deleted
    released: Mapped[bool | None]

    # Only for update files (docs/pack-format.md), from which the archive is assembled.
    base_number: Mapped[int | None]  # the build whose pack has the other chunks; kept when the build is deleted
    archive_key: Mapped[str | None] = mapped_column(String(200), unique=True)  # each attempt writes to a new one

    @property
    def required_game_id(self) -> str:
        """The game of an upload that has one, such as every raw upload and every upload that is checked. Raises
        ValueError."""
        if self.game_id is None:
            raise ValueError(f"upload {self.id} has no game yet")
        return self.game_id

    @property
    def shown_name(self) -> str:
        """The file name for messages and pages: a name may hold characters that turn the text around it."""
        return escape_invisible(self.file_name or "an archive")

    @property
    def build_key(self) -> str:
        """The object of the build that is made of this upload."""
        return self.archive_key or self.object_key

    @property
    def stored_keys(self) -> list[str]:
        """Every object that this upload may have in the bucket."""
        return [key for key in (self.object_key, self.archive_key) if key]
