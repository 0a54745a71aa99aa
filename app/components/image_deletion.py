"""Deleting an asset: it leaves the draft and the game's pictures at once, its bytes leave the quota, its objects are
deleted later. For a quarter of an hour it can be restored with all its uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.components.revisions import lock_draft
from app.data.database import announce, writing
from app.data.models.asset import Asset, GamePicture
from app.data.models.base import now
from app.data.models.component import Component, ComponentFace, Revision
from app.data.models.game import Game
from app.images.active_games import require_active_game
from app.images.asset_refusals import AssetNotFound, RevisionFinalized
from app.images.blobs import lock_blob
from app.images.image_quota import free_bytes, lock_partner, reserve_bytes
from app.topics.names import assets_topic, catalog_topic, game_topic, partner_topic

UNDO_WINDOW = timedelta(minutes=15)


@dataclass(frozen=True)
class DeletedAssets:
    """`deleted`: ids of the deleted images. `kept`: file names of those that finalized revisions show."""

    deleted: Sequence[str]
    kept: Sequence[str]


def delete_asset(game: Game, asset_id: str, actor: Actor, app_id: str | None = None) -> None:
    """Delete an asset of the game; with `app_id` only that app's. Raises AssetNotFound, and RevisionFinalized when a
    finalized revision shows it."""
    with _locked(game) as (session, active, draft):
        asset = _living(session, game.id, asset_id, app_id)
        if (number := _frozen_in(session, asset)) is not None:
            raise RevisionFinalized(
                f"The image '{asset.shown_name}' belongs to revision {number}, which is finalized and never changes. "
                "It cannot be deleted; remove it from the components of the draft instead."
            )
        _delete(session, active, draft, asset, actor)


def delete_assets(game: Game, asset_ids: Sequence[str], actor: Actor) -> DeletedAssets:
    """Delete these assets of the game, except those that a finalized revision shows. Those that were deleted meanwhile
    are left out of the answer. Raises GameNotFound."""
    deleted, kept = [], []
    with _locked(game) as (session, active, draft):
        wanted = Asset.id.in_(asset_ids), Asset.game_id == active.id, Asset.deleted_at.is_(None)
        for asset in session.scalars(select(Asset).where(*wanted).order_by(Asset.id)).all():
            if _frozen_in(session, asset) is not None:
                kept.append(asset.shown_name)
            else:
                _delete(session, active, draft, asset, actor)
                deleted.append(asset.id)
    return DeletedAssets(deleted, kept)


def restore_asset(game: Game, asset_id: str, actor: Actor) -> Asset:
    """Restore a deleted asset and its uses, except where something else has replaced it.

    Raises AssetNotFound if it is too late, and QuotaExceeded if its bytes do not fit any more.
    """
    (asset,) = restore_assets(game, [asset_id], actor)
    return asset


def restore_assets(game: Game, asset_ids: Sequence[str], actor: Actor) -> list[Asset]:
    """Restore deleted assets like `restore_asset`: all of them, or none. Raises as `restore_asset`."""
    with _locked(game) as (session, active, draft):
        return [_restore(session, active, draft, asset_id, actor) for asset_id in asset_ids]


@contextmanager
def _locked(game: Game) -> Iterator[tuple[Session, Game, Revision]]:
    """A transaction with the game and its draft, which cannot be finalized meanwhile. No image can be put anywhere."""
    game_id, partner_id = game.id, game.partner_id
    with writing() as session:
        lock_partner(session, partner_id)
        active = require_active_game(session, game_id)
        yield session, active, lock_draft(session, game_id)


def _delete(session: Session, active: Game, draft: Revision, asset: Asset, actor: Actor) -> None:
    faces = session.scalars(select(ComponentFace).where(ComponentFace.asset_id == asset.id)).all()
    places = session.scalars(select(GamePicture.place).where(GamePicture.asset_id == asset.id)).all()
    asset.uses_before = {"faces": [[f.component_id, f.side_key] for f in faces], "places": list(places)}
    _touch(session, draft.id, {face.component_id for face in faces})
    session.execute(delete(ComponentFace).where(ComponentFace.asset_id == asset.id))
    session.execute(delete(GamePicture).where(GamePicture.asset_id == asset.id))
    asset.deleted_at = now()
    session.flush()
    mark_if_unused(session, active.partner_id, asset.blob_id)
    record(session, actor, "asset.deleted", asset.shown_name, game=active, asset=asset.id)
    _announce(active, pictures=bool(places))


def _restore(session: Session, active: Game, draft: Revision, asset_id: str, actor: Actor) -> Asset:
    asset = session.scalar(
        select(Asset).where(Asset.id == asset_id, Asset.game_id == active.id, Asset.deleted_at.is_not(None))
    )
    blob = lock_blob(session, asset.blob_id) if asset is not None else None
    if asset is None or blob is None:
        raise AssetNotFound(
            f"The image cannot be restored: it was deleted {UNDO_WINDOW.seconds // 60} minutes ago or more. "
            "Add it again."
        )
    shown = _twin(session, asset) or asset  # the same file may have been uploaded again meanwhile
    if blob.unused_since is not None:
        reserve_bytes(session, active.partner_id, blob.size, "restored", blob.sha256)
        blob.unused_since = None
    uses = asset.uses_before or {"faces": [], "places": []}
    if shown is asset:
        asset.deleted_at, asset.uses_before = None, None
    else:
        session.delete(asset)
    session.flush()
    _put_back(session, draft, shown, uses)
    record(session, actor, "asset.restored", shown.shown_name, game=active, asset=shown.id)
    _announce(active, pictures=bool(uses["places"]))
    return shown


def mark_if_unused(session: Session, partner_id: str, blob_id: str) -> None:
    """Subtract an unused blob from the quota. The sweep deletes its objects after the time for undo. With the partner
    locked."""
    blob = lock_blob(session, blob_id)
    shown = session.scalar(select(exists().where(Asset.blob_id == blob_id, Asset.deleted_at.is_(None))))
    if blob is not None and blob.unused_since is None and not shown:
        free_bytes(session, partner_id, blob.size, "deleted", blob.sha256)
        blob.unused_since = now()


def _living(session: Session, game_id: str, asset_id: str, app_id: str | None) -> Asset:
    asset = session.get(Asset, asset_id)
    hidden = app_id is not None and asset is not None and asset.app_id != app_id
    if asset is None or hidden or asset.game_id != game_id or asset.deleted_at is not None:
        raise AssetNotFound(f"No asset with id '{asset_id}' in this game that this app uploaded.")
    return asset


def _frozen_in(session: Session, asset: Asset) -> int | None:
    """The newest finalized revision that shows the image."""
    return session.scalar(
        select(Revision.number)
        .join(ComponentFace, ComponentFace.revision_id == Revision.id)
        .where(ComponentFace.asset_id == asset.id, Revision.state == "finalized")
        .order_by(Revision.number.desc())
        .limit(1)
    )


def _touch(session: Session, revision_id: str, component_ids: set[str]) -> None:
    for component in session.scalars(
        select(Component).where(Component.revision_id == revision_id, Component.id.in_(component_ids))
    ):
        component.updated_at = now()


def _twin(session: Session, asset: Asset) -> Asset | None:
    return session.scalar(
        select(Asset).where(
            Asset.game_id == asset.game_id,
            Asset.app_id == asset.app_id,
            Asset.blob_id == asset.blob_id,
            Asset.deleted_at.is_(None),
        )
    )


def _put_back(session: Session, draft: Revision, asset: Asset, uses: dict[str, Any]) -> None:
    for component_id, side in uses["faces"]:
        there = session.get(Component, (draft.id, component_id))
        if there is not None and session.get(ComponentFace, (draft.id, component_id, side)) is None:
            session.add(
                ComponentFace(revision_id=draft.id, component_id=component_id, side_key=side, asset_id=asset.id)
            )
            there.updated_at = now()
    for place in uses["places"]:
        if session.get(GamePicture, (asset.game_id, place)) is None:
            session.add(GamePicture(game_id=asset.game_id, place=place, asset_id=asset.id))


def _announce(game: Game, *, pictures: bool) -> None:
    announce(assets_topic(game.id))
    if pictures:
        announce(game_topic(game.id), partner_topic(game.partner_id), catalog_topic(game.partner_id))
