"""Serving an image: look it up in rows, read it from the bucket."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sqlalchemy import select

from app.data.extensions import db
from app.data.models.asset import Blob, BlobVariant
from app.images.image_processes import DecoderDied, inspection_processes
from app.images.object_keys import FINAL, parse_key
from app.images.public_copies import make_public_copy
from app.images.variant_jobs import WEBP
from app.refusals import Unavailable

# A request that makes the public copy of an older image uses a thread. Beyond this number, requests are told to come
# again.
_MAX_COPYING = 4
_copying = threading.BoundedSemaphore(_MAX_COPYING)


@dataclass(frozen=True)
class ServedImage:
    """An object that anybody may fetch who has its address. We found or made the type ourselves."""

    key: str
    mime_type: str
    size: int
    sha256: str


def served_image(name: str) -> ServedImage | None:
    """The image for the last part of an address. None if no asset shows it. For a source, its public copy. Raises
    StorageError or Unavailable if that copy cannot be made now."""
    key = f"{FINAL}{name}"
    parsed = parse_key(key)
    if parsed is None or parsed.is_public_copy:
        return None
    if parsed.is_source:
        blob = _shown_blob(key)
        if blob is not None and blob.public_key is None:  # stored by an older version
            _make_now(blob.id)
            blob = _shown_blob(key)
        if blob is None or not blob.public_key:
            return None
        return ServedImage(blob.public_key, blob.mime_type, blob.public_size or 0, blob.public_sha256 or "")
    found = db.session.execute(
        select(BlobVariant.byte_size, BlobVariant.sha256)
        .join(Blob, BlobVariant.blob_id == Blob.id)
        .where(BlobVariant.object_key == key, Blob.state == "stored", Blob.unused_since.is_(None))
    ).first()
    return ServedImage(key, WEBP, found.byte_size, found.sha256) if found else None


def _make_now(blob_id: str) -> None:
    if not _copying.acquire(blocking=False):
        raise Unavailable("This image is being prepared. Try again in a moment.", 5)
    try:
        make_public_copy(blob_id, inspection_processes)
    except DecoderDied:
        raise Unavailable("This image could not be prepared. Try again in a moment.", 5) from None
    finally:
        _copying.release()


def _shown_blob(key: str) -> Blob | None:
    return db.session.scalar(
        select(Blob).where(Blob.object_key == key, Blob.state == "stored", Blob.unused_since.is_(None))
    )
