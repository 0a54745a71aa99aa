"""The dashboard's gallery: all apps' images of a game, their uses, and the quota."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, tuple_
from sqlalchemy.orm import contains_eager

from app.data.cursors import time_cursor, time_position
from app.data.extensions import db
from app.data.models.asset import Asset, GamePicture
from app.data.models.component import Component, ComponentFace, Revision
from app.data.models.game import Game
from app.data.models.partner import App
from app.data.text_search import contains
from app.images.asset_refusals import AssetNotFound
from app.images.game_pictures import COVER
from app.images.image_quota import AssetQuota, asset_quota
from app.images.shown_images import ShownImage, shown_image, variants_of


@dataclass(frozen=True)
class GalleryFilter:
    """The gallery's filters. `used` None: all; `after`: the cursor of the previous page."""

    text: str | None = None
    used: bool | None = None
    app_id: str | None = None
    limit: int = 60
    after: str | None = None


@dataclass(frozen=True)
class SideUse:
    """An image on one side of components of the draft: "Lantern Keeper, front", or "41 cards, back". `kind` is None for
    components of several kinds."""

    side: str
    components: int
    name: str
    kind: str | None


@dataclass(frozen=True)
class GalleryImage:
    """One tile. `file_name`: invisible characters are escaped. `screenshot`: its position among the screenshots, from
    1."""

    image: ShownImage
    file_name: str
    app_id: str
    app_name: str
    sent_by: str
    created_at: datetime
    sides: Sequence[SideUse] = ()
    is_cover: bool = False
    screenshot: int | None = None
    frozen_in: Sequence[int] = ()  # numbers of finalized revisions that show it: then it cannot be deleted

    @property
    def is_used(self) -> bool:
        return bool(self.sides or self.is_cover or self.screenshot or self.frozen_in)


@dataclass(frozen=True)
class GalleryCounts:
    """For the filter's text and app, whatever its `used` is."""

    all: int
    used: int

    @property
    def unused(self) -> int:
        return self.all - self.used


@dataclass(frozen=True)
class GalleryPage:
    images: Sequence[GalleryImage]
    counts: GalleryCounts
    next_cursor: str | None


@dataclass(frozen=True)
class ShownOn:
    """A component of the draft that shows the image, and the side."""

    component_id: str
    kind: str
    name: str
    external_key: str
    side: str


@dataclass(frozen=True)
class AssetDetail:
    tile: GalleryImage
    shown_on: Sequence[ShownOn]


@dataclass(frozen=True)
class QuotaSummary:
    """For the meter: bytes, and the number of images in all games of the partner."""

    quota: AssetQuota
    images: int
    unused: int


def gallery(game: Game, wanted: GalleryFilter) -> GalleryPage:
    """Newest first. A constant number of queries for any number of images."""
    matching = _matching(game.id, wanted)
    all_, used = db.session.execute(
        select(func.count(), func.count().filter(_is_used())).select_from(Asset).where(*matching)
    ).one()
    if wanted.used is not None:
        matching.append(_is_used() if wanted.used else ~_is_used())
    query = _assets_with_blobs().where(*matching).order_by(Asset.created_at.desc(), Asset.id.desc())
    if wanted.after:
        query = query.where(tuple_(Asset.created_at, Asset.id) < time_position(wanted.after))
    rows = db.session.scalars(query.limit(wanted.limit + 1)).all()
    more = len(rows) > wanted.limit
    rows = rows[: wanted.limit]
    last = time_cursor(rows[-1].created_at, rows[-1].id) if more else None
    return GalleryPage(_tiles(rows), GalleryCounts(int(all_), int(used)), last)


def asset_detail(game: Game, asset_id: str) -> AssetDetail:
    """One image with all its uses in the draft. Raises AssetNotFound."""
    asset = db.session.scalar(
        _assets_with_blobs().where(Asset.id == asset_id, Asset.game_id == game.id, Asset.deleted_at.is_(None))
    )
    if asset is None:
        raise AssetNotFound(f"No image with id '{asset_id}' in this game. It may have been deleted.")
    rows = db.session.execute(
        _draft_faces([asset.id], Component.id, Component.kind, Component.name, Component.external_key).order_by(
            Component.position, ComponentFace.side_key
        )
    ).all()
    shown_on = [ShownOn(row.id, row.kind, row.name, row.external_key, row.side_key) for row in rows]
    return AssetDetail(_tiles([asset])[0], shown_on)


def apps_with_assets(game: Game) -> list[App]:
    """The apps that have images in this game, by name, for the filter."""
    has_some = select(Asset.app_id).where(Asset.game_id == game.id, Asset.deleted_at.is_(None))
    return list(db.session.scalars(select(App).where(App.id.in_(has_some)).order_by(App.name)))


def quota_summary(partner_id: str) -> QuotaSummary:
    """The partner's quota and its number of images, in all games."""
    images, used = db.session.execute(
        select(func.count(), func.count().filter(_is_used()))
        .select_from(Asset)
        .join(Game, Asset.game_id == Game.id)
        .where(Game.partner_id == partner_id, Game.deleted_at.is_(None), Asset.deleted_at.is_(None))
    ).one()
    return QuotaSummary(asset_quota(db.session(), partner_id), int(images), int(images) - int(used))


@dataclass(frozen=True)
class AssetCounts:
    """The counts on a game's tabs: images, and components of the draft."""

    images: int
    components: int


def asset_counts(game_id: str) -> AssetCounts:
    """Both counts, in one query."""
    images = select(func.count()).where(Asset.game_id == game_id, Asset.deleted_at.is_(None)).scalar_subquery()
    components = (
        select(func.count())
        .select_from(Component)
        .join(Revision, Component.revision_id == Revision.id)
        .where(Revision.game_id == game_id, Revision.state == "draft")
        .scalar_subquery()
    )
    row = db.session.execute(select(images, components)).one()
    return AssetCounts(int(row[0]), int(row[1]))


def _matching(game_id: str, wanted: GalleryFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [Asset.game_id == game_id, Asset.deleted_at.is_(None)]
    if wanted.app_id:
        found.append(Asset.app_id == wanted.app_id)
    if wanted.text:
        names = db.session.execute(select(Asset.id, Asset.file_name).where(*found))
        found.append(Asset.id.in_([row.id for row in names if contains(wanted.text, (row.file_name,))]))
    return found


def _is_used() -> ColumnElement[bool]:
    """On a component of any revision, or picked as cover or screenshot."""
    return or_(
        select(ComponentFace.asset_id).where(ComponentFace.asset_id == Asset.id).exists(),
        select(GamePicture.asset_id).where(GamePicture.asset_id == Asset.id).exists(),
    )


def _assets_with_blobs() -> Select[Asset]:
    return select(Asset).join(Asset.blob).join(Asset.app).options(contains_eager(Asset.blob), contains_eager(Asset.app))


def _draft_faces(asset_ids: Sequence[str], *columns: Any) -> Select[Any]:
    return (
        select(ComponentFace.asset_id, ComponentFace.side_key, *columns)
        .join(Revision, ComponentFace.revision_id == Revision.id)
        .join(
            Component,
            (Component.revision_id == ComponentFace.revision_id) & (Component.id == ComponentFace.component_id),
        )
        .where(ComponentFace.asset_id.in_(asset_ids), Revision.state == "draft")
    )


@dataclass
class _Uses:
    sides: list[SideUse] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    frozen_in: list[int] = field(default_factory=list)


def _tiles(rows: Sequence[Asset]) -> list[GalleryImage]:
    if not rows:
        return []
    made = variants_of([row.blob_id for row in rows])
    uses = _uses([row.id for row in rows])
    return [
        GalleryImage(
            image=shown_image(row, made.get(row.blob_id, [])),
            file_name=row.shown_name,
            app_id=row.app_id,
            app_name=row.app.name,
            sent_by=row.sent_by,
            created_at=row.created_at,
            sides=uses[row.id].sides,
            is_cover=COVER in uses[row.id].places,
            screenshot=next((place for place in uses[row.id].places if place != COVER), None),
            frozen_in=uses[row.id].frozen_in,
        )
        for row in rows
    ]


def _uses(asset_ids: Sequence[str]) -> dict[str, _Uses]:
    """Counted in the database: one image may be the back of thousands of cards."""
    found = {asset_id: _Uses() for asset_id in asset_ids}
    sides = _draft_faces(
        asset_ids,
        func.count().label("components"),
        func.min(Component.name).label("name"),
        func.min(Component.kind).label("kind"),
        func.max(Component.kind).label("other_kind"),
    ).group_by(ComponentFace.asset_id, ComponentFace.side_key)
    for row in db.session.execute(sides.order_by(ComponentFace.side_key)):
        kind = row.kind if row.kind == row.other_kind else None
        found[row.asset_id].sides.append(SideUse(row.side_key, row.components, row.name, kind))
    for asset_id, place in db.session.execute(
        select(GamePicture.asset_id, GamePicture.place)
        .where(GamePicture.asset_id.in_(asset_ids))
        .order_by(GamePicture.place)
    ):
        found[asset_id].places.append(place)
    for asset_id, number in db.session.execute(
        select(ComponentFace.asset_id, Revision.number)
        .join(Revision, ComponentFace.revision_id == Revision.id)
        .where(ComponentFace.asset_id.in_(asset_ids), Revision.state == "finalized")
        .distinct()
        .order_by(Revision.number)
    ):
        found[asset_id].frozen_in.append(number)
    return found
