"""Removes leftovers of uploads that were never confirmed, unused images, and objects without rows."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from app.components.image_deletion import UNDO_WINDOW, mark_if_unused
from app.data.database import free_connection, in_batches, writing
from app.data.extensions import db
from app.data.models.asset import Asset, Blob, BlobVariant, GamePicture, StagedAsset
from app.data.models.base import new_id, now
from app.data.models.component import Revision
from app.data.models.game import Game
from app.data.models.partner import Partner
from app.images.blobs import LEASE, BlobDeletion, begin_deletion, finish_deletion
from app.images.image_processes import DecoderDied, derivation_processes
from app.images.image_quota import free_bytes, lock_partner, settle
from app.images.intake import staging
from app.images.object_keys import FINAL, STAGING, FinalKey, final_key, parse_key, public_copy_key
from app.images.public_copies import make_public_copy, without_public_copy
from app.process.crash_points import crash_point
from app.refusals import Unavailable
from app.storage.bucket import OpenMultipart, StorageError, StoredObject, bucket
from app.storage.objects import ObjectMissing
from app.storage.write_address_probe import is_of_a_probe

log = logging.getLogger(__name__)
S = TypeVar("S", StoredObject, OpenMultipart)

# A PUT that began in time may still be running when its URL expires.
AFTER_EXPIRY = timedelta(minutes=5)
# Comparing every object with its row takes one request to storage per thousand objects: too much for every minute.
SCAN_EVERY = 3600.0
_COPIES_PER_SWEEP = 50
_scanned_at = float("-inf")
_scan_lock = threading.Lock()


@dataclass
class AssetSweepResult:
    """What a sweep of assets removed."""

    uploads: int = 0
    objects: int = 0
    bytes_freed: int = 0


def sweep_assets(
    young: timedelta, *, undo: timedelta = UNDO_WINDOW, lease: timedelta = LEASE, scan: bool | None = None
) -> AssetSweepResult:
    """Sweep everything of assets. Objects younger than `young` are skipped. Compares all objects with their rows if
    `scan` is set, and once an hour. Raises StorageError; completed steps stand."""
    swept = AssetSweepResult()
    _expire(swept)
    _clear_deleted_games()
    _delete_old_assets(undo)
    if thorough := _claim_scan() if scan is None else scan:
        _mark_unused()
    _delete_unused(swept, undo, lease)
    _make_public_copies()
    _abort_stray_transfers()
    if thorough:
        _delete_orphans(swept, young)
    return swept


def _claim_scan() -> bool:
    global _scanned_at
    with _scan_lock:
        is_due = time.monotonic() - _scanned_at > SCAN_EVERY
        if is_due:
            _scanned_at = time.monotonic()
        return is_due


def _expire(swept: AssetSweepResult) -> None:
    late = db.session.scalars(select(StagedAsset).where(StagedAsset.expires_at < now() - AFTER_EXPIRY)).all()
    found = [(staged.id, staged.partner_id) for staged in late]
    free_connection()
    for staged_id, partner_id in found:
        with writing() as session:
            lock_partner(session, partner_id)
            staged = session.get(StagedAsset, staged_id)
            # Presigned again meanwhile: it is in use.
            if staged is None or staged.expires_at >= now() - AFTER_EXPIRY:
                continue
            key, transfer = staged.object_key, staged.multipart_id
            free_bytes(session, partner_id, staged.reserved_bytes, "released", staged.id)
            session.delete(staged)
        free_connection()
        crash_point("reservation-released")
        staging.drop(key, transfer)
        swept.uploads += 1


def _clear_deleted_games() -> None:
    """Delete a deleted game's asset rows, before deleting the game would delete them without counting."""
    games = db.session.execute(
        select(Game.id, Game.partner_id).where(
            Game.deleted_at.is_not(None),
            or_(
                exists().where(Asset.game_id == Game.id),
                exists().where(StagedAsset.game_id == Game.id),
                exists().where(Revision.game_id == Game.id),
            ),
        )
    ).all()
    free_connection()
    for game_id, partner_id in games:
        with writing() as session:
            lock_partner(session, partner_id)
            blob_ids = session.scalars(select(Asset.blob_id).where(Asset.game_id == game_id)).all()
            for table in (StagedAsset, GamePicture, Revision, Asset):
                session.execute(delete(table).where(table.game_id == game_id))
            for blob_id in blob_ids:
                mark_if_unused(session, partner_id, blob_id)
            session.flush()
            settle(session, partner_id)  # bytes of its staged uploads
        free_connection()


def _delete_old_assets(undo: timedelta) -> None:
    with writing() as session:
        session.execute(delete(Asset).where(Asset.deleted_at < now() - undo))
    free_connection()


def _mark_unused() -> None:
    """Blobs whose last asset was deleted by a cascade."""
    found = db.session.execute(
        select(Blob.id, Blob.partner_id).where(
            Blob.unused_since.is_(None),
            ~exists().where(Asset.blob_id == Blob.id, Asset.deleted_at.is_(None)),
        )
    ).all()
    free_connection()
    for blob_id, partner_id in found:
        with writing() as session:
            lock_partner(session, partner_id)
            mark_if_unused(session, partner_id, blob_id)
        free_connection()


def _delete_unused(swept: AssetSweepResult, undo: timedelta, lease: timedelta) -> None:
    found = db.session.execute(
        select(Blob.id, Blob.partner_id).where(
            Blob.unused_since < now() - undo, or_(Blob.state == "stored", Blob.held_at < now() - lease)
        )
    ).all()
    free_connection()
    for blob_id, partner_id in found:
        deletion = _begin_deletion_if_unused(blob_id, partner_id, undo, lease)
        free_connection()
        if deletion is not None:
            crash_point("blob-doomed")
            _delete_blob(deletion)
            swept.objects += 1
            swept.bytes_freed += deletion.size


def _begin_deletion_if_unused(blob_id: str, partner_id: str, undo: timedelta, lease: timedelta) -> BlobDeletion | None:
    """Check again under the lock: it may be used, claimed or deleted by now."""
    with writing() as session:
        lock_partner(session, partner_id)
        blob = session.get(Blob, blob_id, with_for_update=True, populate_existing=True)
        if blob is None or blob.unused_since is None or blob.unused_since >= now() - undo:
            return None
        if blob.held_at >= now() - lease:
            return None  # another process is writing or deleting it
        # Deleted assets refer to it until their time for undo is over. This ends it for them.
        session.execute(delete(Asset).where(Asset.blob_id == blob.id, Asset.deleted_at.is_not(None)))
        return begin_deletion(session, blob)


def _delete_blob(deletion: BlobDeletion) -> None:
    bucket().delete(deletion.keys)
    crash_point("objects-deleted")
    finish_deletion(deletion)
    free_connection()


def _make_public_copies() -> None:
    """Public copies for images that an older version stored, some at a time. An image that is requested first gets its
    copy then."""
    found = without_public_copy(db.session(), _COPIES_PER_SWEEP)
    free_connection()
    for blob_id in found:
        try:
            make_public_copy(blob_id, derivation_processes)
        except (ObjectMissing, DecoderDied) as failed:  # for this image; the next sweep tries again
            log.warning("the public copy of image %s was not made: %s", blob_id, failed)
        except StorageError:
            raise
        except Unavailable as later:
            log.info("making public copies of older images stopped until the next sweep: %s", later.message)
            return


def _abort_stray_transfers() -> None:
    """Abort the transfers of ended uploads: their addresses stop working, because no quota is reserved for their bytes.
    An upload's row exists before its transfer, so their age does not matter."""
    for listed in in_batches(bucket().open_multiparts(STAGING), 1000):
        for stray in _unknown_staged(listed):
            if not is_of_a_probe(stray.key, stray.begun):
                bucket().abort_multipart(stray.key, stray.multipart_id)


def _delete_orphans(swept: AssetSweepResult, young: timedelta) -> None:
    for orphan in orphans():
        if orphan.modified < now() - young:
            parsed = parse_key(orphan.key)
            if parsed is None:
                bucket().delete([orphan.key])
            elif not _delete_unclaimed(orphan, parsed):
                continue
            swept.objects += 1
            swept.bytes_freed += orphan.size


def orphans() -> Iterator[StoredObject]:
    """Objects that no row names. They are listed before the rows are read, so that an object that gets its row
    meanwhile has it by then."""
    for staged in in_batches(bucket().objects(STAGING), 1000):
        yield from (one for one in _unknown_staged(staged) if not is_of_a_probe(one.key, one.modified))
    for listed in in_batches(bucket().objects(FINAL), 1000):
        known = _known_keys([one.key for one in listed])
        unnamed = [one for one in listed if one.key not in known]
        being_made = _being_derived(unnamed)
        yield from (one for one in unnamed if parse_key(one.key) not in being_made)


def _unknown_staged(listed: Sequence[S]) -> list[S]:
    """Staged objects that no open upload names."""
    keys = [one.key for one in listed]
    known = set(db.session.scalars(select(StagedAsset.object_key).where(StagedAsset.object_key.in_(keys))))
    free_connection()
    return [one for one in listed if one.key not in known]


def _known_keys(keys: Sequence[str]) -> set[str]:
    known = set(db.session.scalars(select(Blob.object_key).where(Blob.object_key.in_(keys))))
    known.update(db.session.scalars(select(Blob.public_key).where(Blob.public_key.in_(keys))))
    known.update(db.session.scalars(select(BlobVariant.object_key).where(BlobVariant.object_key.in_(keys))))
    free_connection()
    return known


def _being_derived(objects: Sequence[StoredObject]) -> set[FinalKey | None]:
    """Those of these keys that are sizes of an image whose sizes are still being made: their rows come when all are
    stored."""
    sizes = {key for one in objects if (key := parse_key(one.key)) and key.size}
    if not sizes:
        return set()
    pending = select(Blob.sha256, Blob.partner_id).where(
        Blob.state == "stored", Blob.derivation == "pending", Blob.sha256.in_({key.sha256 for key in sizes})
    )
    blobs = {(sha256, partner_id) for sha256, partner_id in db.session.execute(pending)}
    free_connection()
    return {key for key in sizes if (key.sha256, key.partner_id) in blobs}


def _delete_unclaimed(orphan: StoredObject, parsed: FinalKey) -> bool:
    """Delete an object under a final key while no other process can confirm or derive the same bytes."""
    with writing() as session:
        partner = session.get(Partner, parsed.partner_id)
        blob: Blob | None = None
        if partner is not None:
            lock_partner(session, parsed.partner_id)
            blob = session.scalar(
                select(Blob).where(Blob.partner_id == parsed.partner_id, Blob.sha256 == parsed.sha256).with_for_update()
            )
            if blob is not None and not _is_stray(session, blob, orphan.key):
                return False
        deletion = None
        if partner is not None and blob is None:
            blob = _placeholder_row(orphan, parsed)
            session.add(blob)
            session.flush()
            deletion = begin_deletion(session, blob)
    free_connection()
    if deletion is None:
        bucket().delete([orphan.key])
    else:
        _delete_blob(deletion)
    return True


def _is_stray(session: Session, blob: Blob, key: str) -> bool:
    """A size or a public copy from an earlier attempt: the blob exists, nothing is being made of it, and its row names
    another object. Checked again under the lock, because a derivation may have begun since the objects were listed."""
    if key == public_copy_key(blob.object_key):
        return blob.state == "stored" and blob.public_key not in (None, key)
    named = session.scalar(select(exists().where(BlobVariant.object_key == key)))
    return blob.object_key != key and blob.state == "stored" and blob.derivation != "pending" and not named


def _placeholder_row(orphan: StoredObject, parsed: FinalKey) -> Blob:
    """A row that exists only while the object is deleted, so that a confirm of the same bytes waits for the
    deletion."""
    return Blob(
        id=new_id("blob"),
        partner_id=parsed.partner_id,
        sha256=parsed.sha256,
        object_key=final_key(parsed.partner_id, parsed.sha256),
        size=orphan.size,
        mime_type="application/octet-stream",
        width_px=0,
        height_px=0,
    )
