"""Images with their uses, for the dashboard's gallery and picker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import contains_eager

from app.data.extensions import db
from app.data.models.asset import Asset, GamePicture
from app.data.models.component import Component, ComponentFace, Revision
from app.images.game_pictures import COVER
from app.images.shown_images import ShownImage, shown_image, variants_of


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


def assets_with_blobs() -> Select[Asset]:
    """Assets with what `gallery_images` reads of them."""
    return select(Asset).join(Asset.blob).join(Asset.app).options(contains_eager(Asset.blob), contains_eager(Asset.app))


def draft_faces(asset_ids: Sequence[str], *columns: Any) -> Select[Any]:
    """The sides in the draft that show these assets: asset id, side, and columns of the component."""
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


def gallery_images(rows: Sequence[Asset]) -> list[GalleryImage]:
    """Rows of `assets_with_blobs` with their sizes and uses. A constant number of queries."""
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
    sides = draft_faces(
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
