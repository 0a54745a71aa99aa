"""Discarding what an upload stored."""

from __future__ import annotations

import logging

from sqlalchemy import delete, exists, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.upload import Upload
from app.process.crash_points import crash_point
from app.refusals import Refusal
from app.storage.bucket import Bucket, bucket

log = logging.getLogger(__name__)


def discard(upload: Upload) -> None:
    """Mark an upload as `discarding`, and remove its bytes and its row. A failure is left to the sweep, which finds the
    upload by its state or its age."""
    free_connection()  # a transaction would expire the row if it were attached
    try:
        with writing() as session:
            session.execute(update(Upload).where(Upload.id == upload.id).values(state="discarding"))
        free_connection()
        discard_marked(bucket(), upload)
    except (Refusal, SQLAlchemyError) as error:
        log.warning("upload %s is left to the sweep: %s", upload.id, error)
    free_connection()


def discard_marked(store: Bucket, upload: Upload) -> None:
    """Remove the bytes of an upload that is `discarding`, then its row. Repeatable: the row goes last. Raises
    StorageError."""
    abort_transfers(store, upload)
    crash_point("mid-discard")
    delete_object_unless_built(store, upload)
    with writing() as session:
        session.execute(delete(Upload).where(Upload.id == upload.id))


def abort_transfers(store: Bucket, upload: Upload) -> None:
    """Abort the upload's multipart transfer. A process may have died before it stored the transfer's id: then abort
    every transfer that is open for the key."""
    key = upload.object_key
    if upload.multipart_id:
        transfers = [upload.multipart_id]
    else:
        transfers = [found.multipart_id for found in store.open_multiparts(key) if found.key == key]
    for transfer in transfers:
        store.abort_multipart(key, transfer)


def delete_object_unless_built(store: Bucket, upload: Upload) -> None:
    """Delete the upload's object, unless a build is made of it."""
    belongs_to_build = db.session.scalar(select(exists().where(Build.object_key == upload.object_key)))
    free_connection()
    if not belongs_to_build:
        store.delete([upload.object_key])
