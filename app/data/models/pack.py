"""Packs: what is stored of a build beside its archive, so that game servers fetch little more than what changed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, ForeignKey, String, and_, false, or_
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.data.models.base import Base, now
from app.data.models.game import Build

PackState = Literal["waiting", "making", "ready", "listed", "no_room", "failed"]


class BuildPack(Base):
    """The pack of one build, from the time it is due.

    `waiting` → `making` → `ready`. An attempt that finds no room for the work ends in `no_room`, and is repeated later;
    after several failed attempts the row is `failed`. Each attempt writes into a folder of its own in the bucket. What
    lies in a folder that no row names was left by an earlier attempt.

    A pack that no server needs becomes `listed`: its list of files, the index, is kept, so that the build can still be
    compared with others. A build that had no pack gets such a list when somebody asks.
    """

    __tablename__ = "build_packs"

    build_id: Mapped[str] = mapped_column(ForeignKey("builds.id", ondelete="CASCADE"), primary_key=True)
    state: Mapped[PackState] = mapped_column(String(16), default="waiting", index=True)
    maker: Mapped[str | None] = mapped_column(String(40))  # the claim of the one worker that may make it
    makings_begun: Mapped[int] = mapped_column(default=0)  # without freed claims
    # The maker's heartbeat. In other states, when the last attempt ended.
    touched_at: Mapped[datetime] = mapped_column(default=now)
    bytes_done: Mapped[int] = mapped_column(BigInteger, default=0)  # of the making's work, not of the pack
    bytes_total: Mapped[int] = mapped_column(BigInteger, default=0)
    reason: Mapped[str | None] = mapped_column(String(500))
    # Servers that play an older build wait for this pack until then, before they fetch the archive. None: nobody waits.
    awaited_until: Mapped[datetime | None]

    folder: Mapped[str | None] = mapped_column(String(100), unique=True)  # "packs/<random>", while `making` and `ready`
    # While `making`, what is reserved in the partner's quota.
    pack_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    # What the quota must have left before the next attempt, after one that the quota stopped. 0: the archive's size.
    needed_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")

    # The index is also kept without a pack: then it is in this folder, until the pack is made again.
    list_folder: Mapped[str | None] = mapped_column(String(100))
    # Somebody compares the build, and it has no index: only that is made now.
    list_requested: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Only with an index.
    index_bytes: Mapped[int] = mapped_column(BigInteger, default=0)  # as it is stored, compressed
    index_sha256: Mapped[str | None] = mapped_column(String(64))  # lowercase hex, of the uncompressed table
    index_size: Mapped[int] = mapped_column(BigInteger, default=0)  # of the uncompressed table
    # Only when it is ready.
    made_at: Mapped[datetime | None]
    # A server could not use it: all of it is to be read and checked, as it was before at `checked_at`.
    suspected: Mapped[bool] = mapped_column(default=False, server_default=false())
    checked_at: Mapped[datetime | None]
    update_folder: Mapped[str | None] = mapped_column(String(100))  # in which a worker stores an update to it now
    update_claimed_until: Mapped[datetime | None]  # by that worker

    build: Mapped[Build] = relationship(lazy="raise")
    updates: Mapped[list[PackUpdate]] = relationship(
        back_populates="pack", cascade="all, delete-orphan", passive_deletes=True, lazy="raise"
    )

    @property
    def pack_key(self) -> str:
        return f"{self.folder}/pack"

    @property
    def index_key(self) -> str:
        return f"{self.folder if self.state == 'ready' else self.list_folder}/index"

    @property
    def has_index(self) -> bool:
        """Whether its list of files is stored, with the pack or without it."""
        return self.state == "ready" or self.list_folder is not None

    @property
    def stored_bytes(self) -> int:
        """The bytes of all its objects with those of its updates, as the quota counts them. Needs `updates`."""
        return self.pack_bytes + self.index_bytes + sum(update.stored_bytes for update in self.updates)


# Conditions. Rows that are about a pack, and not only about a list of files:
IS_FOR_SERVERS = and_(BuildPack.state != "listed", ~BuildPack.list_requested)
# As BuildPack.has_index:
HAS_INDEX = or_(BuildPack.state == "ready", BuildPack.list_folder.is_not(None))


class PackUpdate(Base):
    """The way from one build on a server to another: what is transferred, and the objects that reduce it.

    Without a delta, the whole index is sent. Without a patch, all new chunks come from the pack. Apart from being
    deleted, a row never changes: a preview shows what is transferred later.
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
