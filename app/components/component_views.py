"""Components and their images for pages and APIs, read with a constant number of queries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import contains_eager

from app.data.cursors import decode_cursor, encode_cursor, unknown_cursor
from app.data.extensions import db
from app.data.models.asset import Asset
from app.data.models.component import Component, ComponentFace, Revision
from app.images.shown_images import ShownImage, shown_image, variants_of


@dataclass(frozen=True)
class ShownComponent:
    """A component of one revision with its images by side."""

    id: str
    kind: str
    name: str
    external_key: str
    parent_id: str | None
    parent_kind: str | None
    parent_external_key: str | None
    width_mm: float | None
    height_mm: float | None
    created_at: datetime
    updated_at: datetime
    faces: dict[str, ShownImage] = field(default_factory=dict)


@dataclass(frozen=True)
class ComponentPage:
    components: Sequence[ShownComponent]
    next_cursor: str | None


def list_components(revision: Revision | None, limit: int | None = None, after: str | None = None) -> ComponentPage:
    """The components of a revision in the order in which they were first sent."""
    if revision is None:
        return ComponentPage([], None)
    query = select(Component).where(Component.revision_id == revision.id).order_by(Component.position)
    if after:
        (position,) = decode_cursor(after, 1)
        if not re.fullmatch(r"[0-9]{1,9}", position):
            raise unknown_cursor()
        query = query.where(Component.position > int(position))
    rows = db.session.scalars(query if limit is None else query.limit(limit + 1)).all()
    more = limit is not None and len(rows) > limit
    rows = rows[:limit]
    return ComponentPage(shown(revision.id, rows), encode_cursor(rows[-1].position) if more else None)


def shown(revision_id: str, components: Sequence[Component]) -> list[ShownComponent]:
    """These components of a revision, with parents and faces."""
    read_all = len(components) > 1000  # then read all rows instead of naming each
    parents = _parents(revision_id, None if read_all else {c.parent_id for c in components if c.parent_id})
    faces = _faces(revision_id, None if read_all else [c.id for c in components])
    found: list[ShownComponent] = []
    for row in components:
        parent_kind, parent_key = parents.get(row.parent_id or "", (None, None))
        found.append(
            ShownComponent(
                id=row.id,
                kind=row.kind,
                name=row.name,
                external_key=row.external_key,
                parent_id=row.parent_id,
                parent_kind=parent_kind,
                parent_external_key=parent_key,
                width_mm=row.width_mm,
                height_mm=row.height_mm,
                created_at=row.created_at,
                updated_at=row.updated_at,
                faces=faces.get(row.id, {}),
            )
        )
    return found


def _parents(revision_id: str, ids: set[str] | None) -> dict[str, tuple[str, str]]:
    query = select(Component.id, Component.kind, Component.external_key).where(Component.revision_id == revision_id)
    query = query.where(Component.id.in_(ids)) if ids is not None else query.where(Component.parent_id.is_(None))
    return {row.id: (row.kind, row.external_key) for row in db.session.execute(query)}


def _faces(revision_id: str, ids: Sequence[str] | None) -> dict[str, dict[str, ShownImage]]:
    query = (
        select(ComponentFace)
        .join(ComponentFace.asset)
        .join(Asset.blob)
        .where(ComponentFace.revision_id == revision_id)
        .options(contains_eager(ComponentFace.asset).contains_eager(Asset.blob))
        .order_by(ComponentFace.created_at, ComponentFace.side_key)
    )
    blob_ids = select(Asset.blob_id).join(ComponentFace, ComponentFace.asset_id == Asset.id)
    blob_ids = blob_ids.where(ComponentFace.revision_id == revision_id)
    if ids is not None:
        query = query.where(ComponentFace.component_id.in_(ids))
        blob_ids = blob_ids.where(ComponentFace.component_id.in_(ids))
    made = variants_of(blob_ids)
    images: dict[str, ShownImage] = {}  # many cards of a deck may share one image
    faces: dict[str, dict[str, ShownImage]] = {}
    for face in db.session.scalars(query):
        image = images.get(face.asset_id) or images.setdefault(
            face.asset_id, shown_image(face.asset, made.get(face.asset.blob_id, []))
        )
        faces.setdefault(face.component_id, {})[face.side_key] = image
    return faces
