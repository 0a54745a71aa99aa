"""Games, their builds and releases."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.data.models.base import Base, new_id, now
from app.data.models.partner import Partner

Status = Literal["active", "pending_upload"]
_LIVING = text("deleted_at IS NULL")
MAX_VERSION_LABEL = 100  # characters


def status_of(released_build_id: str | None) -> Status:
    """`active` from the first release on, `pending_upload` before (partner API section 4)."""
    return "active" if released_build_id else "pending_upload"


class Game(Base):
    """One game: one row in one catalog, seen by slug under /api/partners and by id under /api/v1."""

    __tablename__ = "games"
    __table_args__ = (
        # A deleted game frees its slug at once, while the old row waits for its sessions to end.
        Index(
            "uq_games_living_slug",
            "partner_id",
            "slug",
            unique=True,
            sqlite_where=_LIVING,
            postgresql_where=_LIVING,
        ),
        # In the orders of the API's list and of the dashboard's.
        Index("ix_games_partner_id_created_at_id", "partner_id", "created_at", "id"),
        Index("ix_games_partner_id_updated_at_id", "partner_id", "updated_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("game"))
    partner_id: Mapped[str] = mapped_column(ForeignKey("partners.id", ondelete="CASCADE"))
    slug: Mapped[str] = mapped_column(String(100))
    title: Mapped[str] = mapped_column(String(256))  # the partner API allows 200, /api/v1 allows 256
    developer: Mapped[str] = mapped_column(String(150))
    description: Mapped[str] = mapped_column(Text, default="")
    tags: Mapped[list[str]] = mapped_column(default=list)
    launcher: Mapped[str | None] = mapped_column(String(255))
    renpy_dir: Mapped[str | None] = mapped_column(String(255))
    thumbnail: Mapped[str | None] = mapped_column(String(2000))
    screenshots: Mapped[list[str] | None]
    release_date: Mapped[str | None] = mapped_column(String(10))
    content_rating: Mapped[str | None] = mapped_column(String(50))
    languages: Mapped[list[str] | None]
    auto_release: Mapped[bool] = mapped_column(default=True)
    keep_builds: Mapped[int | None]  # how many of the newest builds retention keeps; None: all
    next_build_number: Mapped[int] = mapped_column(default=1)
    released_build_id: Mapped[str | None] = mapped_column(
        ForeignKey("builds.id", name="fk_games_released_build_id", use_alter=True)
    )
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None]
    # Bytes of its builds that servers fetched, deleted builds included, and bytes that archives would have taken more.
    sent_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    saved_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")

    partner: Mapped[Partner] = relationship(lazy="raise")
    builds: Mapped[list[Build]] = relationship(
        back_populates="game", foreign_keys="Build.game_id", order_by="Build.number.desc()", lazy="raise"
    )
    released_build: Mapped[Build | None] = relationship(
        foreign_keys=[released_build_id], post_update=True, lazy="raise"
    )

    @property
    def status(self) -> Status:
        return status_of(self.released_build_id)


class Build(Base):
    """One immutable, checked archive of a game, numbered 1, 2, 3 … by the transaction that makes it ready."""

    __tablename__ = "builds"
    __table_args__ = (UniqueConstraint("game_id", "number"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("build"))
    game_id: Mapped[str] = mapped_column(ForeignKey("games.id", ondelete="CASCADE"), index=True)
    number: Mapped[int]
    object_key: Mapped[str] = mapped_column(String(200), unique=True)
    size: Mapped[int] = mapped_column(BigInteger)  # bytes of the packed archive
    sha256: Mapped[str] = mapped_column(String(64))  # lowercase hex, of the packed archive
    unpacked_bytes: Mapped[int] = mapped_column(BigInteger)
    members: Mapped[int]
    launcher: Mapped[str] = mapped_column(String(255))
    top_directory: Mapped[str] = mapped_column(String(255))
    warnings: Mapped[list[str]] = mapped_column(default=list)
    file_name: Mapped[str | None] = mapped_column(String(255))
    note: Mapped[str | None] = mapped_column(Text)
    # The studio's own name for it, such as "1.4.2".
    version_label: Mapped[str | None] = mapped_column(String(MAX_VERSION_LABEL))
    sent_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    first_released_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]  # the latest release of this build
    # Bytes that servers fetched of it, and bytes that its archive would have taken more.
    sent_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    saved_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")

    game: Mapped[Game] = relationship(back_populates="builds", foreign_keys=[game_id], lazy="raise")

    @property
    def checksum(self) -> str:
        """The form of the APIs: `sha256:<lowercase hex>`."""
        return f"sha256:{self.sha256}"


class Release(Base):
    """One release of a build. Append-only: the newest release of a game is the live one. A release outlives its
    build."""

    __tablename__ = "releases"
    __table_args__ = (Index("ix_releases_game_id_id", "game_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    game_id: Mapped[str] = mapped_column(ForeignKey("games.id", ondelete="CASCADE"))
    build_id: Mapped[str | None] = mapped_column(ForeignKey("builds.id", ondelete="SET NULL"), index=True)
    build_number: Mapped[int]
    released_at: Mapped[datetime] = mapped_column(default=now)
    released_by: Mapped[str] = mapped_column(String(200))
    # When every active server had a copy, while the build was live. None: not yet, or another release came first.
    cached_everywhere_at: Mapped[datetime | None]
