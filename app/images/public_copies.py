"""Public copies of images: the picture without the file's metadata.

The uploaded file stays under its own key, for its owner. If it has metadata, a copy without it is stored beside it, and
the image's address answers with the copy. Files from older versions get a copy at their first request, or by the sweep;
until then they are not public.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.asset import Blob
from app.images.image_processes import Facts, ImageProcesses, ImageRefused, Interrupted
from app.images.intake.verification import FetchedFile, WrongBytes, fetched
from app.images.metadata.pieces import DamagedContainer
from app.images.metadata.stripping import without_metadata
from app.images.object_keys import IMMUTABLE, public_copy_key
from app.refusals import Unavailable
from app.storage.objects import write_object

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublicCopy:
    """An object that may be shown. `sha256` is lowercase hex."""

    key: str
    size: int
    sha256: str


_NOTHING = PublicCopy("", 0, "")


@contextmanager
def without_metadata_copy(file: FetchedFile, facts: Facts) -> Iterator[FetchedFile | None]:
    """The file without its metadata, for the length of the block. None if it has no metadata. Raises WrongBytes if the
    file cannot be parsed, and Unavailable."""
    try:
        with without_metadata(file.path, facts.mime_type, facts.orientation) as clean:
            yield clean
    except DamagedContainer as damaged:
        raise WrongBytes(f"The uploaded file {damaged}. Export it again, then send it.") from None


def store_public_copy(source_key: str, file: FetchedFile, clean: FetchedFile | None, mime_type: str) -> PublicCopy:
    """Store the clean file beside the source. Without a clean file, the source itself is public. Repeatable. Raises
    StorageError."""
    if clean is None:
        return PublicCopy(source_key, file.size, file.sha256)
    key = public_copy_key(source_key)
    clean.file.seek(0)
    headers = {"Content-Type": mime_type, "Cache-Control": IMMUTABLE}
    write_object(key, clean.file, clean.size, clean.md5(), headers)
    return PublicCopy(key, clean.size, clean.sha256)


def record_public_copy(blob: Blob, copy: PublicCopy) -> None:
    """Store the copy's key in a locked row."""
    blob.public_key, blob.public_size, blob.public_sha256 = copy.key, copy.size, copy.sha256


def without_public_copy(session: Session, max_rows: int) -> Sequence[str]:
    """Blobs without a known public copy."""
    waiting = select(Blob.id).where(Blob.state == "stored", Blob.public_key.is_(None))
    return session.scalars(waiting.order_by(Blob.created_at).limit(max_rows)).all()


def make_public_copy(blob_id: str, decoder: ImageProcesses) -> None:
    """Make sure that a stored blob has its public copy in its row. Repeatable. Holds no connection meanwhile. Raises
    StorageError (including ObjectMissing), Unavailable and DecoderDied: then try again later."""
    key = db.session.scalar(select(Blob.object_key).where(Blob.id == blob_id, Blob.public_key.is_(None)))
    free_connection()
    if key is None:
        return
    copy = _copy_of(key, decoder)
    with writing() as session:
        blob = session.get(Blob, blob_id, with_for_update=True, populate_existing=True)
        if blob is not None and blob.state == "stored" and blob.public_key is None:
            record_public_copy(blob, copy)
    free_connection()


def _copy_of(key: str, decoder: ImageProcesses) -> PublicCopy:
    try:
        with fetched(key) as file:
            facts = decoder.examine(file.path)
            with without_metadata_copy(file, facts) as clean:
                return store_public_copy(key, file, clean, facts.mime_type)
    except (WrongBytes, ImageRefused) as refused:
        log.warning("image %s has no public copy: %s", key, refused)
        return _NOTHING
    except Interrupted:
        raise Unavailable("The app is being stopped. Try again in a moment.", 10) from None
