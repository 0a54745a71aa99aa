"""Coordinates writing and deleting the one object that holds certain bytes of a partner.

No row may be locked during a request to the bucket, so the row itself holds the state: see `Blob`. Confirming claims
the row, writes the object, and uses it only if the very same row still exists. Sweeping sets the row to `deleting`,
deletes the object, and deletes the row. A confirm meanwhile waits for that and begins again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.data.database import writing
from app.data.models.asset import Blob, BlobVariant
from app.data.models.base import new_id, now
from app.images.image_limits import VARIANT_SIZES
from app.images.image_processes import Facts
from app.images.image_quota import lock_partner
from app.images.object_keys import final_key, public_copy_key, variant_key

# Longer than any request to storage can take with its retries. An older claim belongs to a dead process.
LEASE = timedelta(minutes=5)


@dataclass(frozen=True)
class BlobClaim:
    """A blob that may be written. `stored`: its object exists already."""

    blob_id: str
    stored: bool


def claim_blob(partner_id: str, sha256: str, size: int, facts: Facts) -> BlobClaim | None:
    """The partner's blob of these bytes, made if there is none. None while a sweep is deleting it."""
    with writing() as session:
        lock_partner(session, partner_id)
        blob = session.scalar(
            select(Blob).where(Blob.partner_id == partner_id, Blob.sha256 == sha256).with_for_update()
        )
        if blob is None:
            blob = Blob(
                id=new_id("blob"),
                partner_id=partner_id,
                sha256=sha256,
                object_key=final_key(partner_id, sha256),
                size=size,
                mime_type=facts.mime_type,
                width_px=facts.width,
                height_px=facts.height,
                state="writing",
            )
            session.add(blob)
        if blob.state == "deleting":
            return None
        blob.held_at = now()
        return BlobClaim(blob.id, blob.state == "stored")


def lock_blob(session: Session, blob_id: str) -> Blob | None:
    """The blob, locked until the transaction ends. None if it is deleted or being deleted. With the partner locked."""
    blob = session.get(Blob, blob_id, with_for_update=True, populate_existing=True)
    return None if blob is None or blob.state == "deleting" else blob


@dataclass(frozen=True)
class BlobDeletion:
    """A blob whose objects are to be deleted, and the token of the process that may do it."""

    blob_id: str
    holder: str
    keys: list[str]
    size: int


def begin_deletion(session: Session, blob: Blob) -> BlobDeletion:
    """Begin to delete a locked blob: after the commit, no other code uses its object."""
    blob.state = "deleting"
    blob.held_at = now()
    blob.holder = new_id("holder")
    # Also the leftovers of a derivation or a copy that died before its row was written.
    keys = {blob.object_key, public_copy_key(blob.object_key)}
    keys.update(variant_key(blob.object_key, size) for size in VARIANT_SIZES)
    keys.update(session.scalars(select(BlobVariant.object_key).where(BlobVariant.blob_id == blob.id)))
    return BlobDeletion(blob.id, blob.holder, sorted(keys), blob.size)


def finish_deletion(deletion: BlobDeletion) -> None:
    """Delete the row once its objects are gone, unless another process took over because it took too long."""
    with writing() as session:
        blob = session.get(Blob, deletion.blob_id, with_for_update=True, populate_existing=True)
        if blob is not None and blob.holder == deletion.holder:
            session.delete(blob)
