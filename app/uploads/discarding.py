"""Discarding what an upload stored."""

from __future__ import annotations

import logging

from sqlalchemy import delete, select, update
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
    delete_objects_unless_built(store, upload)
    with writing() as session:
        session.execute(delete(Upload).where(Upload.id == upload.id))


def abort_transfers(store: Bucket, upload: Upload) -> None:
    """Abort the upload's multipart transfers. A process may have died before it stored a transfer's id: then abort
    every transfer that is open for the key."""
    if upload.multipart_id:
        store.abort_multipart(upload.object_key, upload.multipart_id)
    else:
        abort_open_transfers(store, upload.object_key)
    if upload.archive_key:
        abort_open_transfers(store, upload.archive_key)


def abort_open_transfers(store: Bucket, key: str) -> None:
    """Abort every multipart transfer that is open for the key."""
    for found in store.open_multiparts(key):
        if found.key == key:
            store.abort_multipart(key, found.multipart_id)


def delete_objects_unless_built(store: Bucket, upload: Upload) -> None:
    """Delete the upload's objects, but not the one that a build is made of."""
    keys = upload.stored_keys
    built = set(db.session.scalars(select(Build.object_key).where(Build.object_key.in_(keys))))
    free_connection()
    store.delete([key for key in keys if key not in built])
