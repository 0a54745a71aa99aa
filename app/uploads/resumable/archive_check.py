"""What happens after the last byte of a resumable upload: one worker joins its parts, reads the object once (SHA-256
and inspection in the same pass, in memory that does not depend on its size) and publishes it or says why not.

Ends of every kind are continued: the row says what is to be done, the sweep finds rows that nobody works on.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from enum import Enum

from flask import current_app

from app.catalog.publishing import ClaimLost, Published, ReceivedArchive, publish
from app.config.settings import MIB, settings
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.upload import Upload
from app.process import shutdown
from app.process.crash_points import passing
from app.refusals import ChecksumMismatch, Refusal, Unavailable
from app.storage.bucket import Gone, StorageError, bucket
from app.uploads.raw.inspection_thread import CheckingThread
from app.uploads.resumable.check_claims import Heartbeat, claim, give_back, still_ours
from app.uploads.resumable.completion import join_parts
from app.uploads.resumable.phases import fail, hold, sender, tidy
from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.inspection import Inspector

log = logging.getLogger(__name__)

PIECE = MIB
# One request for the object would have to begin anew when it breaks; with ranges a hiccup costs a moment.
RANGE = 64 * MIB
TRIES = 5
PAUSE_SECONDS = 0.5


class Outcome(Enum):
    """How a check ended. LATER: without a verdict, to be tried again."""

    DONE = "done"
    FAILED = "failed"
    LATER = "later"
    NOT_OURS = "not ours"


class _Stopped(Unavailable):
    """The process is being stopped."""


def examine(upload_id: str) -> Outcome:
    """Check one upload and publish it, unless another worker does or did. Repeatable."""
    upload = claim(upload_id)
    if upload is None:
        return Outcome.NOT_OURS
    if upload.state == "failed":  # it had been begun too often
        _tidy(upload)
        return Outcome.FAILED
    passing("check-claimed")
    try:
        published = _examine(upload)
    except ClaimLost:
        log.info("upload %s was cancelled or taken over while it was checked", upload_id)
        return Outcome.NOT_OURS
    except Unavailable as why:
        log.warning("the check of upload %s is put off: %s", upload_id, why.message)
        give_back(upload)
        return Outcome.LATER
    except Refusal as refusal:
        return _refuse(upload, refusal)
    except Exception:
        # Counted in its row: after some of these the upload fails instead of being tried without end.
        log.exception("the check of upload %s failed", upload_id)
        _drop_claim(upload)
        return Outcome.LATER
    passing("check-published")
    if published.unchanged:
        _tidy(upload)
    return Outcome.DONE


def _examine(upload: Upload) -> Published:
    with Heartbeat(current_app._get_current_object(), upload) as heartbeat:  # type: ignore[attr-defined]  # the proxy's own method
        join_parts(upload)
        received = read_archive(upload, heartbeat)
        passing("archive-read")
        return publish(upload.game_id, received, sender(upload))


def read_archive(upload: Upload, heartbeat: Heartbeat) -> ReceivedArchive:
    """Hash and inspect the joined object in one pass. Raises InvalidArchive, ChecksumMismatch, ClaimLost when the
    heartbeat says so, or Unavailable when it cannot be read now."""
    launcher = db.session.get_one(Game, upload.game_id).launcher
    free_connection()
    inspector = Inspector(ArchiveLimits(unpacked_bytes=settings().max_unpacked_bytes), launcher)
    checker = CheckingThread(inspector)
    digest = hashlib.sha256()
    try:
        for piece in _pieces(upload):
            if heartbeat.lost.is_set():
                raise ClaimLost
            if shutdown.stopping.is_set():
                raise _Stopped("The process is being stopped; another goes on.")
            checker.feed(piece)
            digest.update(piece)
            heartbeat.bytes_read += len(piece)
            heartbeat.files_read = inspector.members_read
            passing("mid-check")
        inspection = checker.finish()
    finally:
        checker.close()
    if upload.announced_sha256 not in {None, digest.hexdigest()}:
        raise ChecksumMismatch(
            f"The upload announced the checksum sha256:{upload.announced_sha256}, but the bytes that arrived have "
            f"sha256:{digest.hexdigest()}. Nothing was kept; send the archive again."
        )
    return ReceivedArchive(
        upload.id,
        upload.object_key,
        upload.size,
        digest.hexdigest(),
        inspection,
        upload.file_name,
        note=upload.note,
        release=upload.release,
        checker=upload.checker,
    )


def _pieces(upload: Upload) -> Iterator[bytes]:
    """The whole object. Where storage stumbles it is asked again from where it stopped. Raises StorageError after
    TRIES without a byte, and at once when the object is gone; ClaimLost when that is because the upload was cancelled,
    which a read under way need not see as a missing object."""
    done, tries = 0, 0
    while done < upload.size:
        try:
            for piece in bucket().read(upload.object_key, done, min(RANGE, upload.size - done), PIECE):
                done, tries = done + len(piece), 0
                yield piece
        except StorageError as error:
            tries += 1
            if not still_ours(upload):
                raise ClaimLost from error
            if tries == TRIES or isinstance(error, Gone) or shutdown.stopping.wait(PAUSE_SECONDS * 2**tries):
                raise


def _refuse(upload: Upload, refusal: Refusal) -> Outcome:
    with writing() as session:
        row = hold(session, upload.id)
        if row is None or row.checker != upload.checker:
            return Outcome.NOT_OURS
        fail(session, row, refusal)
    passing("refusal-written")
    _tidy(row)
    return Outcome.FAILED


def _tidy(upload: Upload) -> None:
    free_connection()
    try:
        tidy(upload)
    except Refusal as error:  # the verdict stands
        log.warning("the bytes of upload %s are left to the sweep: %s", upload.id, error)


def _drop_claim(upload: Upload) -> None:
    with writing() as session:
        row = hold(session, upload.id)
        if row is not None and row.checker == upload.checker:
            row.checker = None
    free_connection()
