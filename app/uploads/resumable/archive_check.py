"""The check of a resumable upload, after its last byte: one worker joins the parts, reads the object once (SHA-256 and
inspection in the same pass, in memory that does not depend on its size), and publishes it or refuses it with a reason.
If the object is an update file, the worker first assembles the archive.

Every interruption can be continued: the row holds what is left to do, and the sweep finds rows without a worker.
"""

from __future__ import annotations

import hashlib
import logging
from enum import Enum

from flask import current_app

from app.catalog.build_publishing import PublishedBuild, ReceivedArchive, publish_build
from app.config.settings import settings
from app.data.claims import ClaimLost
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.upload import Upload
from app.process.crash_points import crash_point
from app.process.metrics import UploadKind, count_refusal, count_upload
from app.refusals import Refusal, Unavailable
from app.storage.whole_objects import read_whole
from app.uploads.raw.inspection_thread import InspectionThread
from app.uploads.resumable.announced_checksum import require_checksum
from app.uploads.resumable.check_claims import CheckBroken, Heartbeat, claim_check, free_claim, owns_claim
from app.uploads.resumable.completion import join_parts
from app.uploads.resumable.upload_phases import fail, lock_upload, remove_leftovers, sender_of
from app.uploads.updates.assembly import assemble
from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.inspection import Inspection, Inspector

log = logging.getLogger(__name__)


class Outcome(Enum):
    """How a check ended. LATER: without a result, to be tried again."""

    DONE = "done"
    FAILED = "failed"
    LATER = "later"
    NOT_OURS = "not ours"


def examine(upload_id: str) -> Outcome:
    """Check one upload and publish it, unless another worker does so or did. Repeatable."""
    upload = claim_check(upload_id)
    if upload is None:
        return Outcome.NOT_OURS
    if upload.state == "failed":  # it had been begun too often
        _count_refused(upload, CheckBroken.code)
        _tidy(upload)
        return Outcome.FAILED
    crash_point("check-claimed")
    try:
        published = _examine(upload)
    except ClaimLost:
        log.info("upload %s was cancelled or taken over while it was checked", upload_id)
        return Outcome.NOT_OURS
    except Unavailable as why:
        log.warning("the check of upload %s is postponed: %s", upload_id, why.message)
        free_claim(upload)
        return Outcome.LATER
    except Refusal as refusal:
        return _refuse(upload, refusal)
    except Exception:
        # The row counts it: after some of these, the upload fails and is not tried again.
        log.exception("the check of upload %s failed", upload_id)
        _drop_claim(upload)
        return Outcome.LATER
    crash_point("check-published")
    count_upload(_kind_of(upload), "unchanged" if published.unchanged else "stored", upload.size)
    if published.unchanged or upload.base_number is not None:
        _tidy(upload)
    return Outcome.DONE


def _examine(upload: Upload) -> PublishedBuild:
    with Heartbeat(current_app._get_current_object(), upload) as heartbeat:  # type: ignore[attr-defined]  # the proxy's own method
        join_parts(upload)
        received = read_archive(upload, heartbeat) if upload.base_number is None else _assemble(upload, heartbeat)
        crash_point("archive-read")
        return publish_build(upload.required_game_id, received, sender_of(upload))


def read_archive(upload: Upload, heartbeat: Heartbeat) -> ReceivedArchive:
    """Hash and inspect the joined object in one pass. Raises InvalidArchive, ChecksumMismatch, ClaimLost if the
    heartbeat lost the claim, or Unavailable if the object cannot be read now."""
    launcher = db.session.get_one(Game, upload.required_game_id).launcher
    free_connection()
    limits = ArchiveLimits(unpacked_bytes=settings().max_unpacked_bytes, archive_bytes=upload.size)
    inspector = Inspector(limits, launcher)
    checker = InspectionThread(inspector)
    digest = hashlib.sha256()
    try:
        for piece in read_whole(upload.object_key, upload.size, lambda: _check_owned(upload)):
            heartbeat.require_claim()
            checker.feed(piece)
            digest.update(piece)
            heartbeat.bytes_read += len(piece)
            heartbeat.files_read = inspector.members_read
            crash_point("mid-check")
        inspection = checker.finish()
    finally:
        checker.close()
    require_checksum(upload, digest.hexdigest())
    return _received(upload, upload.size, digest.hexdigest(), inspection)


def _assemble(upload: Upload, heartbeat: Heartbeat) -> ReceivedArchive:
    made = assemble(upload, heartbeat)
    return _received(upload, made.size, made.sha256, made.inspection)


def _received(upload: Upload, size: int, sha256: str, inspection: Inspection) -> ReceivedArchive:
    return ReceivedArchive(
        upload.id,
        upload.build_key,
        size,
        sha256,
        inspection,
        upload.file_name,
        note=upload.note,
        version_label=upload.version_label,
        release=upload.release,
        checker=upload.checker,
    )


def _check_owned(upload: Upload) -> None:
    if not owns_claim(upload):
        raise ClaimLost


def _refuse(upload: Upload, refusal: Refusal) -> Outcome:
    with writing() as session:
        row = lock_upload(session, upload.id)
        if row is None or row.checker != upload.checker:
            return Outcome.NOT_OURS
        fail(session, row, refusal)
    _count_refused(row, refusal.code)
    crash_point("refusal-written")
    _tidy(row)
    return Outcome.FAILED


def _kind_of(upload: Upload) -> UploadKind:
    return "resumable" if upload.base_number is None else "update"


def _count_refused(upload: Upload, code: str) -> None:
    count_refusal(code)
    count_upload(_kind_of(upload), "refused", upload.size)


def _tidy(upload: Upload) -> None:
    free_connection()
    try:
        remove_leftovers(upload)
    except Refusal as error:  # the result stands
        log.warning("the bytes of upload %s are left to the sweep: %s", upload.id, error)


def _drop_claim(upload: Upload) -> None:
    with writing() as session:
        row = lock_upload(session, upload.id)
        if row is not None and row.checker == upload.checker:
            row.checker = None
    free_connection()
