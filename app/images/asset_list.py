"""The API's list of one app's assets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_

from app.data.cursors import time_cursor, time_position
from app.data.extensions import db
from app.data.models.asset import Asset, Blob
from app.data.models.component import Component, ComponentFace, Revision


@dataclass(frozen=True)
class ListedAsset:
    """An asset in the API's list. `component_id`: the first component of the draft that shows it."""

    id: str
    component_id: str | None
    key: str
    mime_type: str
    width_px: int
    height_px: int
    size: int
    file_name: str
    created_at: datetime


@dataclass(frozen=True)
class AssetPage:
    assets: Sequence[ListedAsset]
    next_cursor: str | None


def list_assets(game_id: str, app_id: str, limit: int | None = None, after: str | None = None) -> AssetPage:
    """Oldest first. A constant number of queries for any number of assets."""
    query = (
        select(
            Asset.id,
            Asset.file_name,
            Asset.created_at,
            Blob.object_key,
            Blob.mime_type,
            Blob.width_px,
            Blob.height_px,
            Blob.size,
        )
        .join(Blob, Asset.blob_id == Blob.id)
        .where(Asset.game_id == game_id, Asset.app_id == app_id, Asset.deleted_at.is_(None))
        .order_by(Asset.created_at, Asset.id)
    )
    if after:
        query = query.where(tuple_(Asset.created_at, Asset.id) > time_position(after))
    rows = db.session.execute(query if limit is None else query.limit(limit + 1)).all()
    more = limit is not None and len(rows) > limit
    rows = rows[:limit]
    shown_by = _shown_by(game_id)
    listed = [
        ListedAsset(
            id=row.id,
            component_id=shown_by.get(row.id),
            key=row.object_key,
            mime_type=row.mime_type,
            width_px=row.width_px,
            height_px=row.height_px,
            size=row.size,
            file_name=row.file_name,
            created_at=row.created_at,
        )
        for row in rows
    ]
    return AssetPage(listed, time_cursor(listed[-1].created_at, listed[-1].id) if more else None)


def _shown_by(game_id: str) -> dict[str, str]:
    """Asset id → the draft's component that shows it."""
    rows = db.session.execute(
        select(ComponentFace.asset_id, ComponentFace.component_id)
        .join(Revision, ComponentFace.revision_id == Revision.id)
        .join(
            Component,
            (Component.revision_id == ComponentFace.revision_id) & (Component.id == ComponentFace.component_id),
        )
        .where(Revision.game_id == game_id, Revision.state == "draft")
        .order_by(Component.position.desc())
    )
    return dict(rows.all())
