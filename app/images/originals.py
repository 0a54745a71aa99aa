"""Original files with all their metadata, for their owner only: one by its address, several as a zip archive."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select

from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.asset import Asset, Blob
from app.images.asset_refusals import AssetNotFound
from app.storage.bucket import bucket
from app.storage.zipped_objects import ZipEntry
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


def zip_entries(game_id: str, asset_ids: Sequence[str]) -> list[ZipEntry]:
    """The original files of these images for one archive, each with a name of its own. Images that were deleted
    meanwhile are left out. Raises AssetNotFound if none is left."""
    query = (
        select(Asset.file_name, Asset.created_at, Blob.object_key, Blob.size)
        .join(Blob, Asset.blob_id == Blob.id)
        .where(Asset.id.in_(asset_ids), Asset.game_id == game_id, Asset.deleted_at.is_(None))
        .order_by(Asset.created_at, Asset.id)
    )
    rows = db.session.execute(query).all()
    free_connection()
    if not rows:
        raise AssetNotFound("None of these images is in this game any more. They may have been deleted.")
    taken: set[str] = set()
    return [
        ZipEntry(_free_name(row.file_name, taken), row.object_key, row.size, _zip_moment(row.created_at))
        for row in rows
    ]


def _free_name(file_name: str, taken: set[str]) -> str:
    """A name that every system can unpack: `card.png`, for the next of this name `card (2).png`."""
    plain = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", escape_invisible(file_name)).strip(". ") or "image"
    stem, dot, ending = plain.rpartition(".")
    if not stem:
        stem, dot, ending = plain, "", ""
    name, number = plain, 1
    while name.casefold() in taken:  # systems that ignore case would replace the first file
        number += 1
        name = f"{stem} ({number}){dot}{ending}"
    taken.add(name.casefold())
    return name


def _zip_moment(moment: datetime) -> tuple[int, int, int, int, int, int]:
    return (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)


def _plain(file_name: str) -> str:
    """A file name in the form that a header can hold."""
    return re.sub(r"[^A-Za-z0-9._() -]", "_", file_name)
