"""When an upload that is being sent last moved, in its row (`touched_at`). Pages tell from it whether it stopped.
Only storage knows when a part arrived, and pages do not ask it.

The sweep reads the parts every minute. Addresses for parts count too: they are given before the first part, and again
when a stopped upload goes on.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.upload import RESUMABLE, Upload
from app.storage.bucket import bucket
from app.uploads.resumable.stopped_uploads import STOPPED_AFTER, stops_at
from app.uploads.resumable.upload_phases import announce_upload, lock_upload

# After that no part arrives: an address for one is valid for an hour, and may be used at its end.
MAX_SILENCE = timedelta(minutes=90)


def record_sending(upload: Upload) -> bool:
    """Addresses for parts are requested. Writes at most once in STOPPED_AFTER. False if the upload ended meanwhile."""
    return upload.touched_at >= now() - STOPPED_AFTER or _move(upload.id, now())


def record_part_times() -> None:
    """Read the parts of every upload that is being sent. Raises StorageError."""
    sending = select(Upload).where(
        Upload.kind == RESUMABLE,
        Upload.state == "uploading",
        Upload.multipart_id.is_not(None),
        Upload.touched_at > now() - MAX_SILENCE,
    )
    found = [(row.id, row.object_key, row.multipart_id, row.touched_at) for row in db.session.scalars(sending)]
    free_connection()
    for upload_id, object_key, multipart_id, known in found:
        parts = bucket().parts(object_key, multipart_id or "")
        newest = max((part.modified for part in parts or ()), default=known)
        if newest > known:
            _move(upload_id, newest)


def _move(upload_id: str, at: datetime) -> bool:
    """Returns whether the upload is still being sent."""
    with writing() as session:
        row = lock_upload(session, upload_id)
        is_sending = row is not None and row.state == "uploading"
        if row is not None and is_sending and row.touched_at < at:
            had_stopped = stops_at(row) <= now()
            row.touched_at = at
            if had_stopped:
                announce_upload(session, row)
    free_connection()
    return is_sending
