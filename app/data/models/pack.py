"""Packs: what is stored of a build beside its archive, so that game servers fetch little more than what changed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.data.models.base import Base, now
from app.data.models.game import Build

PackState = Literal["waiting", "making", "ready", "no_room", "failed"]


class BuildPack(Base):
    """The pack of one build, from the wish for it on.

    `waiting` → `making` → `ready`. A making that finds no room on the disk ends in `no_room`, and is tried again later;
    one that failed several times ends in `failed`. Each attempt writes into a folder of its own, and the row names the
    folder only when all objects are stored: objects without a row are what an ended attempt left.
    """

    __tablename__ = "build_packs"

    build_id: Mapped[str] = mapped_column(ForeignKey("builds.id", ondelete="CASCADE"), primary_key=True)
    state: Mapped[PackState] = mapped_column(String(16), default="waiting", index=True)
    maker: Mapped[str | None] = mapped_column(String(40))  # the claim of the one worker that may make it
    makings_begun: Mapped[int] = mapped_column(default=0)  # without freed claims
    # The maker's heartbeat. For `no_room` and `failed`, when the last attempt ended.
    touched_at: Mapped[datetime] = mapped_column(default=now)
    bytes_done: Mapped[int] = mapped_column(BigInteger, default=0)  # of the making's work, not of the pack
    bytes_total: Mapped[int] = mapped_column(BigInteger, default=0)
    reason: Mapped[str | None] = mapped_column(String(500))

    # Only when it is ready.
    folder: Mapped[str | None] = mapped_column(String(100), unique=True)  # "packs/<random>", in the bucket
    pack_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    index_bytes: Mapped[int] = mapped_column(BigInteger, default=0)  # as it is stored, compressed
    index_sha256: Mapped[str | None] = mapped_column(String(64))  # lowercase hex, of the uncompressed table
    index_size: Mapped[int] = mapped_column(BigInteger, default=0)  # of the uncompressed table
    made_at: Mapped[datetime | None]

    build: Mapped[Build] = relationship(lazy="raise")
    updates: Mapped[list[PackUpdate]] = relationship(
        back_populates="pack", cascade="all, delete-orphan", passive_deletes=True, lazy="raise"
    )

    @property
    def pack_key(self) -> str:
        return f"{self.folder}/pack"

    @property
    def index_key(self) -> str:
        return f"{self.folder}/index"

    @property
    def stored_bytes(self) -> int:
        """The bytes of all its objects, those of its updates included: what counts against the quota."""
        return self.pack_bytes + self.index_bytes + sum(update.stored_bytes for update in self.updates)


class PackUpdate(Base):
    """How a server that holds one build gets to another: how much is transferred, and which objects make it less.

    Without a delta, the whole index is sent. Without a patch, its chunks come from the pack.
    """

    __tablename__ = "pack_updates"

    build_id: Mapped[str] = mapped_column(ForeignKey("build_packs.build_id", ondelete="CASCADE"), primary_key=True)
    from_build_id: Mapped[str] = mapped_column(
        ForeignKey("builds.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    folder: Mapped[str] = mapped_column(String(100))  # of its own objects; the pack's, if they were made together
    delta_bytes: Mapped[int | None] = mapped_column(BigInteger)
    patch_bytes: Mapped[int | None] = mapped_column(BigInteger)
    patch_sha256: Mapped[str | None] = mapped_column(String(64))  # lowercase hex, of the patch object
    fetched_bytes: Mapped[int] = mapped_column(BigInteger)  # ranges of the pack, when the patch is used

    pack: Mapped[BuildPack] = relationship(back_populates="updates", lazy="raise")

    @property
    def delta_key(self) -> str:
        return f"{self.folder}/delta.{self.from_build_id}"

    @property
    def patch_key(self) -> str:
        return f"{self.folder}/patch.{self.from_build_id}"

    @property
    def stored_bytes(self) -> int:
        return (self.delta_bytes or 0) + (self.patch_bytes or 0)

    @property
    def transfer_bytes(self) -> int:
        """All that is sent to a server for this update. Needs `pack`."""
        index_bytes = self.pack.index_bytes if self.delta_bytes is None else self.delta_bytes
        return index_bytes + (self.patch_bytes or 0) + self.fetched_bytes
