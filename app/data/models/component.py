"""A game's components and the images on their sides, in revisions: one draft, and finalized ones that never change."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.data.models.asset import Asset, new_bare_id
from app.data.models.base import Base, new_id, now

_DRAFT = text("state = 'draft'")


class Revision(Base):
    """A numbered set of components of a game. There is at most one draft; finalizing it opens the next as a copy."""

    __tablename__ = "revisions"
    __table_args__ = (
        UniqueConstraint("game_id", "number"),
        Index("uq_revisions_draft", "game_id", unique=True, sqlite_where=_DRAFT, postgresql_where=_DRAFT),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("revision"))
    game_id: Mapped[str] = mapped_column(ForeignKey("games.id", ondelete="CASCADE"))
    number: Mapped[int]
    state: Mapped[Literal["draft", "finalized"]] = mapped_column(String(16), default="draft")
    created_at: Mapped[datetime] = mapped_column(default=now)
    finalized_at: Mapped[datetime | None]
    finalized_by: Mapped[str | None] = mapped_column(String(200))


class Component(Base):
    """A component in one revision. Its id is the same in every revision; `external_key` is the caller's own.

    `family` is the kind by which calls find it again: a card is a tile in a deck, so both belong to the family `tile`.
    """

    __tablename__ = "components"
    __table_args__ = (
        UniqueConstraint("revision_id", "family", "external_key"),
        ForeignKeyConstraint(
            ["revision_id", "parent_id"], ["components.revision_id", "components.id"], ondelete="CASCADE"
        ),
        Index("ix_components_revision_id_parent_id", "revision_id", "parent_id"),
    )

    revision_id: Mapped[str] = mapped_column(ForeignKey("revisions.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_bare_id)
    position: Mapped[int]  # order in lists: as they were first sent
    kind: Mapped[str] = mapped_column(String(16))
    family: Mapped[str] = mapped_column(String(16))
    external_key: Mapped[str] = mapped_column(String(256))
    name: Mapped[str] = mapped_column(String(256))
    parent_id: Mapped[str | None] = mapped_column(String(40))
    width_mm: Mapped[float | None]
    height_mm: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)


class ComponentFace(Base):
    """The image on one side of a component, such as `front`."""

    __tablename__ = "component_faces"
    __table_args__ = (
        ForeignKeyConstraint(
            ["revision_id", "component_id"], ["components.revision_id", "components.id"], ondelete="CASCADE"
        ),
    )

    revision_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    component_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    side_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id", deferrable=True, initially="DEFERRED"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)

    asset: Mapped[Asset] = relationship(lazy="raise")
