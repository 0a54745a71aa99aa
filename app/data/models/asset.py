"""Uploaded images: staged, verified, stored once per partner, derived, and counted against a quota."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.data.models.base import Base, new_id, now
from app.data.models.partner import App
from slipway.archive.invisible_characters import escape_invisible

BlobState = Literal["writing", "stored", "deleting"]
Derivation = Literal["pending", "ready", "failed"]
_LIVING = text("deleted_at IS NULL")


def new_bare_id() -> str:
    """An id without a prefix, as the assets API has for assets and components."""
    return new_id("").removeprefix("_")


class StagedAsset(Base):
    """A presigned upload that has not been confirmed: where its bytes may be put, and what they must be. The row is
    deleted when the upload is confirmed, found wrong, or expired."""

    __tablename__ = "staged_assets"
    __table_args__ = (UniqueConstraint("game_id", "app_id", "sha256"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("staged"))
    partner_id: Mapped[str] = mapped_column(ForeignKey("partners.id", ondelete="CASCADE"), index=True)
    game_id: Mapped[str] = mapped_column(ForeignKey("games.id", ondelete="CASCADE"))
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), index=True)
    object_key: Mapped[str] = mapped_column(String(200), unique=True)
    multipart_id: Mapped[str | None] = mapped_column(String(1024))  # the storage's own id of its one-part transfer
    joiner: Mapped[str | None] = mapped_column(String(40))  # the token of the one confirm that makes that part's object
    joined_until: Mapped[datetime | None]  # the end of its lease
    sha256: Mapped[str] = mapped_column(String(64))  # announced; lowercase hex
    byte_size: Mapped[int]  # announced
    content_type: Mapped[str] = mapped_column(String(40))  # announced
    file_name: Mapped[str] = mapped_column(String(256))
    # Bytes that are reserved in the quota. None when this app has confirmed the same bytes before.
    reserved_bytes: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Blob(Base):
    """The one object for certain bytes of a partner, shared by all assets with these bytes.

    `writing` → `stored` → `deleting` → no row. A row never leaves `deleting` for another state. An object is only
    written while its row is not `deleting`, and only deleted while it is: so confirming and sweeping cannot undo each
    other's work.
    """

    __tablename__ = "blobs"
    __table_args__ = (UniqueConstraint("partner_id", "sha256"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("blob"))
    partner_id: Mapped[str] = mapped_column(ForeignKey("partners.id", ondelete="CASCADE"))
    sha256: Mapped[str] = mapped_column(String(64))
    object_key: Mapped[str] = mapped_column(String(200), unique=True)
    size: Mapped[int]
    mime_type: Mapped[str] = mapped_column(String(40))  # found in the bytes, not announced
    width_px: Mapped[int]  # as it is shown: after EXIF orientation
    height_px: Mapped[int]
    state: Mapped[BlobState] = mapped_column(String(16), default="writing")
    # When a worker last began to write or delete the object, and the token of the worker that may finish deleting it.
    held_at: Mapped[datetime] = mapped_column(default=now)
    holder: Mapped[str | None] = mapped_column(String(40))
    # None while an asset shows the blob. After that, it counts against the quota.
    unused_since: Mapped[datetime | None] = mapped_column(default=now, index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)

    # The object that everybody may fetch: the file without its metadata, or the file itself if it has none. None until
    # this is known (for files that were stored before public copies existed). Empty: nothing can be shown.
    public_key: Mapped[str | None] = mapped_column(String(200))
    public_size: Mapped[int | None]
    public_sha256: Mapped[str | None] = mapped_column(String(64))

    derivation: Mapped[Derivation] = mapped_column(String(16), default="pending", index=True)
    derive_attempts: Mapped[int] = mapped_column(default=0)
    derive_at: Mapped[datetime] = mapped_column(default=now)  # not before this time
    derive_error: Mapped[str | None] = mapped_column(Text)
    placeholder: Mapped[str | None] = mapped_column(String(64))  # ThumbHash, base64

    variants: Mapped[list[BlobVariant]] = relationship(
        order_by="BlobVariant.size", cascade="all, delete-orphan", passive_deletes=True, lazy="raise"
    )


class BlobVariant(Base):
    """A derived WebP of a blob. `size` is the limit of its longer side. Sizes that would give the same image share one
    variant."""

    __tablename__ = "blob_variants"

    blob_id: Mapped[str] = mapped_column(ForeignKey("blobs.id", ondelete="CASCADE"), primary_key=True)
    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    object_key: Mapped[str] = mapped_column(String(200), unique=True)
    byte_size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    width_px: Mapped[int]
    height_px: Mapped[int]


class Asset(Base):
    """An image of a game, as seen by the app that uploaded it. A deleted asset can be restored for a while."""

    __tablename__ = "assets"
    __table_args__ = (
        Index(
            "uq_assets_living_bytes",
            "game_id",
            "app_id",
            "blob_id",
            unique=True,
            sqlite_where=_LIVING,
            postgresql_where=_LIVING,
        ),
        Index("ix_assets_game_id_created_at", "game_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_bare_id)
    game_id: Mapped[str] = mapped_column(ForeignKey("games.id", ondelete="CASCADE"))
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", deferrable=True, initially="DEFERRED"), index=True)
    blob_id: Mapped[str] = mapped_column(ForeignKey("blobs.id", deferrable=True, initially="DEFERRED"), index=True)
    file_name: Mapped[str] = mapped_column(String(256))
    sent_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None] = mapped_column(index=True)
    # The uses that its deletion removed, for undo.
    uses_before: Mapped[dict[str, Any] | None]

    blob: Mapped[Blob] = relationship(lazy="raise")
    app: Mapped[App] = relationship(lazy="raise")

    @property
    def shown_name(self) -> str:
        """The file name for messages and pages: a name may hold characters that turn the text around it."""
        return escape_invisible(self.file_name)


class GamePicture(Base):
    """A game's cover (place 0) or one of its screenshots (1, 2, 3 …), picked from its assets."""

    __tablename__ = "game_pictures"

    game_id: Mapped[str] = mapped_column(ForeignKey("games.id", ondelete="CASCADE"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id", ondelete="CASCADE"), index=True)

    asset: Mapped[Asset] = relationship(lazy="raise")


class QuotaEntry(Base):
    """Append-only: bytes added to (+) or removed from (−) a partner's asset quota. `balance` is the sum so far, so that
    reading it does not get slower over the years."""

    __tablename__ = "quota_entries"
    __table_args__ = (Index("ix_quota_entries_partner_id_id", "partner_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    partner_id: Mapped[str] = mapped_column(ForeignKey("partners.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(default=now)
    reason: Mapped[str] = mapped_column(String(24))  # reserved, released, stored, deleted, restored, corrected
    subject: Mapped[str] = mapped_column(String(64))  # the id or SHA-256 it is about
    byte_change: Mapped[int] = mapped_column(BigInteger)
    balance: Mapped[int] = mapped_column(BigInteger)
