"""Where the bytes of a staged image are sent: into the one part of a multipart transfer.

Not by a plain PUT: to such a PUT a client can add an unsigned header with which MinIO, and so the embedded storage,
unpacks a tar over the whole bucket, whatever the signing identity may do (docs/storage.md). It does not do so for a
part. Also, the address of a part ends with its transfer; the address of an object works until it expires.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update

from app.data.claims import patient_claim
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.heartbeat import heartbeat
from app.data.models.asset import StagedAsset
from app.data.models.base import new_id, now
from app.images.image_quota import free_bytes, lock_partner
from app.images.intake.verification import wrong_size
from app.process.crash_points import crash_point
from app.refusals import Unavailable
from app.storage.bucket import ObjectGone, StorageError, bucket
from app.storage.direct_uploads import direct_uploads
from app.storage.write_addresses import part_url

log = logging.getLogger(__name__)

PART = 1

# A worker that dies while it joins keeps others waiting for the length of the lease; a heartbeat extends it.
_JOIN_LEASE = timedelta(seconds=12)
_JOIN_PATIENCE = 20.0


@dataclass(frozen=True)
class StagedUpload:
    """An open upload: its bytes are sent to `staging_key`, and are kept at `key` after confirming. `transfer`:
    storage's id of the transfer, None before one is opened."""

    staged_id: str
    partner_id: str
    staging_key: str
    key: str
    transfer: str | None


def staging_url(staged: StagedUpload, *, content_type: str | None, byte_size: int, lifetime: timedelta) -> str:
    """A URL to which a browser or script may PUT exactly `byte_size` bytes of `content_type` (None: of any), and
    nothing else. Raises StorageError; an upload that has just begun is then removed."""
    transfer = _active_transfer(staged)
    return part_url(staged.staging_key, transfer, PART, byte_size, lifetime, content_type=content_type)


def _active_transfer(staged: StagedUpload) -> str:
    """The transfer of this upload. It ends when it is confirmed, so a new one is opened if there is none."""
    store = bucket()
    try:
        if staged.transfer and store.parts(staged.staging_key, staged.transfer) is not None:
            return staged.transfer
        opened = store.start_multipart(staged.staging_key)
    except StorageError:
        _drop_unsent(staged)
        raise
    crash_point("staged-transfer-opened")
    kept = _store_transfer(staged, opened)
    if kept != opened:
        store.abort_multipart(staged.staging_key, opened)
    if kept is None:
        raise Unavailable("The same image was confirmed or has expired a moment ago. Presign it again.", 1)
    return kept


def _store_transfer(staged: StagedUpload, opened: str) -> str | None:
    """Store the transfer's id, unless another call was first: then return that call's. None if the upload has ended
    meanwhile."""
    with writing() as session:
        row = session.get(StagedAsset, staged.staged_id, with_for_update=True)
        kept = None
        if row is not None:
            if row.multipart_id in {None, staged.transfer}:
                row.multipart_id = opened
            kept = row.multipart_id
    free_connection()
    return kept


def _drop_unsent(staged: StagedUpload) -> None:
    """No address was given out, so end the reservation."""
    with writing() as session:
        lock_partner(session, staged.partner_id)
        row = session.get(StagedAsset, staged.staged_id)
        if row is not None and row.multipart_id is None:
            free_bytes(session, staged.partner_id, row.reserved_bytes, "released", row.id)
            session.delete(row)
    free_connection()


def join(staged_id: str, staging_key: str, transfer: str | None, byte_size: int) -> None:
    """Make the object of the part that arrived. Does nothing if there is no part, or if this was done before. Raises
    WrongBytes if the part does not have the announced size, DirectUploadsOff, StorageError, or Unavailable while
    another call of the same confirm does not get an answer from storage."""
    if not transfer:
        return
    with _only_join(staged_id) as token:
        parts = bucket().parts(staging_key, transfer)
        if not parts:
            return
        direct_uploads().require()  # otherwise it may be a copy of an object that its sender may not read
        if len(parts) != 1 or parts[0].size != byte_size:
            raise wrong_size(sum(part.size for part in parts), byte_size)
        _require_join(staged_id, token)
        try:
            bucket().complete_multipart(staging_key, transfer, [parts[0].etag])
        except ObjectGone:
            log.info("a staged image was dropped by another call")
    crash_point("staged-joined")


@contextmanager
def _only_join(staged_id: str) -> Iterator[str]:
    """No other call joins this upload during the block, which gets the token of its lease. Two at once leave an object
    of 0 bytes in the embedded storage: the second call empties the file that the first one has joined, just before the
    first one puts it into place."""
    token = new_id("joiner")
    if not patient_claim(lambda: _claim_join(staged_id, token), _JOIN_PATIENCE):
        raise _joined_elsewhere()
    # A process that was frozen for longer than the lease must neither extend nor end the lease of the next one.
    mine = update(StagedAsset).where(StagedAsset.id == staged_id, StagedAsset.joiner == token)
    try:
        with heartbeat(
            _JOIN_LEASE.total_seconds() / 4,
            f"staged image {staged_id}",
            lambda: mine.values(joined_until=now() + _JOIN_LEASE),
        ):
            yield token
    finally:
        with writing() as session:
            session.execute(mine.values(joiner=None, joined_until=None))
        free_connection()


def _claim_join(staged_id: str, token: str) -> bool:
    """False while another call has it. An upload that has ended has nothing to join, so anybody may."""
    with writing() as session:
        row = session.get(StagedAsset, staged_id, with_for_update=True)
        is_free = row is None or row.joined_until is None or row.joined_until < now()
        if row is not None and is_free:
            row.joiner, row.joined_until = token, now() + _JOIN_LEASE
    return is_free


def _require_join(staged_id: str, token: str) -> None:
    """Raises Unavailable if the lease went to another call while this one was frozen."""
    row = db.session.scalar(select(StagedAsset).where(StagedAsset.id == staged_id))
    free_connection()
    if row is not None and row.joiner != token:
        raise _joined_elsewhere()


def _joined_elsewhere() -> Unavailable:
    return Unavailable("The same upload is being confirmed now. Nothing was changed; confirm it again.", 5)


def drop(staging_key: str, transfer: str | None) -> None:
    """End the transfer, and with it every address, and delete the sent bytes. Repeatable. Raises StorageError."""
    if transfer:
        bucket().abort_multipart(staging_key, transfer)
    bucket().delete([staging_key])
