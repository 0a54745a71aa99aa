"""Taking back what an upload stored."""

from __future__ import annotations

from sqlalchemy import delete, exists, select

from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.upload import Upload
from app.process.crash_points import crash_point
from app.storage.bucket import Bucket


def discard_upload(store: Bucket, upload_id: str, key: str, multipart_id: str | None) -> None:
    """Take back everything one upload stored, then its row. Repeatable: the row goes last."""
    for transfer in [multipart_id] if multipart_id else transfers_of(store, key):
        store.abort_multipart(key, transfer)
    crash_point("mid-discard")
    belongs_to_build = db.session.scalar(select(exists().where(Build.object_key == key)))
    free_connection()
    if not belongs_to_build:
        store.delete([key])
    with writing() as session:
        session.execute(delete(Upload).where(Upload.id == upload_id))


def transfers_of(store: Bucket, key: str) -> list[str]:
    """The storage's ids of the transfers under way to one key: of an upload whose process died before it noted its."""
    return [found.multipart_id for found in store.open_multiparts(key) if found.key == key]
