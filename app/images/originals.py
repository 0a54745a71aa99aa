"""Original files with all their metadata, for their owner only."""

from __future__ import annotations

import re
from datetime import timedelta

from sqlalchemy import select

from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.asset import Asset, Blob
from app.images.asset_refusals import AssetNotFound
from app.storage.bucket import bucket
from slipway.archive.invisible_characters import escape_invisible

LIFETIME = timedelta(minutes=15)


def original_url(game_id: str, asset_id: str, app_id: str | None = None) -> str:
    """A storage address, valid for 15 minutes, that saves the uploaded file under its name. `app_id`: only for this
    app's assets. Raises AssetNotFound and StorageError."""
    wanted = select(Asset.file_name, Blob.object_key).join(Blob, Asset.blob_id == Blob.id)
    wanted = wanted.where(Asset.id == asset_id, Asset.game_id == game_id, Asset.deleted_at.is_(None))
    row = db.session.execute(wanted if app_id is None else wanted.where(Asset.app_id == app_id)).first()
    free_connection()
    if row is None:
        raise AssetNotFound(f"No image with id '{asset_id}' in this game. It may have been deleted.")
    if bucket().stat(row.object_key) is None:
        raise AssetNotFound(
            f"The file of '{escape_invisible(row.file_name)}' is not in storage. Tell the operator (flask check lists "
            "it)."
        )
    return bucket().browser_url(row.object_key, LIFETIME, _plain(row.file_name))


def _plain(file_name: str) -> str:
    """A file name in the form that a header can hold."""
    return re.sub(r"[^A-Za-z0-9._() -]", "_", file_name)
