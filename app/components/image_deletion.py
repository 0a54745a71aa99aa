"""Deleting an asset: it leaves the draft and the game's pictures at once, its bytes leave the quota, its objects are
deleted later. For a quarter of an hour it can be restored with all its uses."""

from __future__ import annotations

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


def delete_asset(game: Game, asset_id: str, actor: Actor, app_id: str | None = None) -> None:
    """Delete an asset of the game; with `app_id` only that app's. Raises AssetNotFound, and RevisionFinalized when a
    finalized revision shows it."""
    game_id, partner_id = game.id, game.partner_id
    with writing() as session:
        lock_partner(session, partner_id)
        active = require_active_game(session, game_id)
        draft = lock_draft(
            session, game_id
        )  # from here on the draft cannot be finalized, and the image cannot be put anywhere
        asset = _living(session, game_id, asset_id, app_id)
        _require_not_frozen(session, asset)
        faces = session.scalars(select(ComponentFace).where(ComponentFace.asset_id == asset.id)).all()
        places = session.scalars(select(GamePicture.place).where(GamePicture.asset_id == asset.id)).all()
        asset.uses_before = {"faces": [[f.component_id, f.side_key] for f in faces], "places": list(places)}
        _touch(session, draft.id, {face.component_id for face in faces})
        session.execute(delete(ComponentFace).where(ComponentFace.asset_id == asset.id))
        session.execute(delete(GamePicture).where(GamePicture.asset_id == asset.id))
        asset.deleted_at = now()
        session.flush()
        mark_if_unused(session, partner_id, asset.blob_id)
        record(session, actor, "asset.deleted", asset.shown_name, game=active, asset=asset.id)
        _announce(active, pictures=bool(places))


def restore_asset(game: Game, asset_id: str, actor: Actor) -> Asset:
    """Restore a deleted asset and its uses, except where something else has replaced it.

    Raises AssetNotFound if it is too late, and QuotaExceeded if its bytes do not fit any more.
    """
    game_id, partner_id = game.id, game.partner_id
    with writing() as session:
        lock_partner(session, partner_id)
        active = require_active_game(session, game_id)
        draft = lock_draft(session, game_id)
        asset = session.scalar(
            select(Asset).where(Asset.id == asset_id, Asset.game_id == game_id, Asset.deleted_at.is_not(None))
        )
        blob = lock_blob(session, asset.blob_id) if asset is not None else None
        if asset is None or blob is None:
            raise AssetNotFound(
                f"The image cannot be restored: it was deleted {UNDO_WINDOW.seconds // 60} minutes ago or more. "
                "Add it again."
            )
        shown = _twin(session, asset) or asset  # the same file may have been uploaded again meanwhile
        if blob.unused_since is not None:
            reserve_bytes(session, partner_id, blob.size, "restored", blob.sha256)
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


def _require_not_frozen(session: Session, asset: Asset) -> None:
    number = session.scalar(
        select(Revision.number)
        .join(ComponentFace, ComponentFace.revision_id == Revision.id)
        .where(ComponentFace.asset_id == asset.id, Revision.state == "finalized")
        .order_by(Revision.number.desc())
        .limit(1)
    )
    if number is not None:
        raise RevisionFinalized(
            f"The image '{asset.shown_name}' belongs to revision {number}, which is finalized and never changes. It "
            "cannot be deleted; remove it from the components of the draft instead."
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
