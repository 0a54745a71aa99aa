"""Abandoned resumable uploads: found, checked for recent parts, and removed with their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, or_, select

from app.accounts.actors import Actor
from app.config.settings import settings
from app.data.claims import LEASE
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Game
from app.data.models.upload import RESUMABLE, Upload
from app.process.crash_points import crash_point
from app.storage.bucket import StoredPart, bucket
from app.uploads.discarding import discard_marked
from app.uploads.resumable.upload_phases import announce_upload, lock_upload, record_upload, remove_leftovers

SWEEP = Actor("sweep")
MAX_OPENING_TIME = timedelta(minutes=10)  # a row without a transfer for this long belongs to a process that died


@dataclass
class Expired:
    """What was removed: uploads that had not become a build, and bytes in the bucket."""

    uploads: int = 0
    bytes_freed: int = 0


def remove_expired() -> Expired:
    """Remove uploads that expired or belong to a deleted game, and leftover bytes of ended ones. Repeatable. Raises
    StorageError; completed steps stand."""
    removed = Expired()
    for upload in _with_leftovers():
        removed.bytes_freed += upload.reserved_bytes
        remove_leftovers(upload)
    for upload in _ending():
        _remove(upload, removed)
    return removed


def _with_leftovers() -> Sequence[Upload]:
    """Ended uploads whose bytes are still there: the process died between the result and the removal of the bytes."""
    found = db.session.scalars(
        select(Upload).where(Upload.kind == RESUMABLE, Upload.state.in_(["done", "failed"]), Upload.reserved_bytes > 0)
    ).all()
    free_connection()
    return found


def _ending() -> Sequence[Upload]:
    at = now()
    unclaimed = or_(Upload.checker.is_(None), Upload.touched_at < at - LEASE)
    never_opened = and_(
        Upload.state == "uploading", Upload.multipart_id.is_(None), Upload.created_at < at - MAX_OPENING_TIME
    )
    expired = and_(Upload.state.in_(["uploading", "done", "failed"]), Upload.expires_at < at)
    orphaned = and_(Game.deleted_at.is_not(None), or_(Upload.state != "checking", unclaimed))
    found = db.session.scalars(
        select(Upload)
        .outerjoin(Game, Upload.game_id == Game.id)
        .where(Upload.kind == RESUMABLE, Upload.state != "discarding", or_(never_opened, expired, orphaned))
    ).all()
    free_connection()
    return found


def _remove(upload: Upload, removed: Expired) -> None:
    parts: list[StoredPart] = []
    if upload.state == "uploading" and upload.multipart_id:
        parts = bucket().parts(upload.object_key, upload.multipart_id) or []
    if not _mark(upload, parts):
        return
    crash_point("expiry-marked")
    stored = bucket().stat(upload.object_key) if upload.state == "checking" else None
    discard_marked(bucket(), upload)
    free_connection()
    removed.uploads += upload.state != "done"
    removed.bytes_freed += stored.size if stored else sum(part.size for part in parts)


def _mark(upload: Upload, parts: Sequence[StoredPart]) -> bool:
    """Mark it as `discarding`, unless its state has changed since it was found, or parts of it arrived within a
    week."""
    with writing() as session:
        row = lock_upload(session, upload.id)
        if row is None or row.state != upload.state or row.checker != upload.checker:
            return False
        game = announce_upload(session, row)
        is_kept = game is None or game.deleted_at is None
        if parts and is_kept:
            row.expires_at = max(part.modified for part in parts) + settings().upload_lifetime
            if row.expires_at > now():
                return False
        if row.state == "uploading" and is_kept and row.multipart_id:
            arrived = sum(part.size for part in parts)
            record_upload(session, SWEEP, "upload.expired", row, game, bytes=arrived, of=row.size)
        row.state = "discarding"
        row.checker = None
        return True
