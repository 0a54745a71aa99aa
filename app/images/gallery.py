"""The dashboard's gallery: all apps' images of a game, their uses, and the quota."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select

from app.data.extensions import db
from app.data.list_orders import chosen_order, descending, read_page, size_order, text_order, time_order
from app.data.models.asset import Asset, Blob, GamePicture
from app.data.models.component import Component, ComponentFace, Revision
from app.data.models.game import Game
from app.data.models.partner import App
from app.data.text_search import contains
from app.images.asset_refusals import AssetNotFound
from app.images.gallery_images import GalleryImage, assets_with_blobs, draft_faces, gallery_images
from app.images.image_quota import AssetQuota, asset_quota


@dataclass(frozen=True)
class GalleryFilter:
    """The gallery's filters. `used` None: all; `sort`: a key of ORDERS; `after`: the cursor of the previous page, which
    had the same `sort`."""

    text: str | None = None
    used: bool | None = None
    app_id: str | None = None
    limit: int = 50
    after: str | None = None
    sort: str = ""


_BY_AGE = time_order(Asset.created_at.expression, Asset.id.expression)
# By key in the address.
ORDERS = {
    "": descending(_BY_AGE),
    "oldest": _BY_AGE,
    "name": text_order(func.lower(Asset.file_name), Asset.id.expression),
    "largest": descending(size_order(Blob.size.expression, Asset.id.expression)),
}


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
    """One page. A constant number of queries for any number of images. Raises InvalidRequest for an unknown cursor."""
    matching = _matching(game.id, wanted)
    all_, used = db.session.execute(
        select(func.count(), func.count().filter(_is_used())).select_from(Asset).where(*matching)
    ).one()
    if wanted.used is not None:
        matching.append(_is_used() if wanted.used else ~_is_used())
    order = chosen_order(ORDERS, wanted.sort)
    rows, last = read_page(assets_with_blobs().where(*matching), order, wanted.limit, wanted.after)
    return GalleryPage(gallery_images([row.Asset for row in rows]), GalleryCounts(int(all_), int(used)), last)


def asset_detail(game: Game, asset_id: str) -> AssetDetail:
    """One image with all its uses in the draft. Raises AssetNotFound."""
    asset = db.session.scalar(
        assets_with_blobs().where(Asset.id == asset_id, Asset.game_id == game.id, Asset.deleted_at.is_(None))
    )
    if asset is None:
        raise AssetNotFound(f"No image with id '{asset_id}' in this game. It may have been deleted.")
    rows = db.session.execute(
        draft_faces([asset.id], Component.id, Component.kind, Component.name, Component.external_key).order_by(
            Component.position, ComponentFace.side_key
        )
    ).all()
    shown_on = [ShownOn(row.id, row.kind, row.name, row.external_key, row.side_key) for row in rows]
    return AssetDetail(gallery_images([asset])[0], shown_on)


def chosen_images(game: Game, asset_ids: Sequence[str]) -> list[GalleryImage]:
    """These images of the game, in this order. Ids of other images are left out."""
    there = Asset.id.in_(asset_ids), Asset.game_id == game.id, Asset.deleted_at.is_(None)
    rows = {row.id: row for row in db.session.scalars(assets_with_blobs().where(*there))}
    return gallery_images([rows[asset_id] for asset_id in dict.fromkeys(asset_ids) if asset_id in rows])


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
