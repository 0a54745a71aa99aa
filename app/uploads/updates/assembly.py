"""From an update file to an archive: the chunks of the file and of its base's pack, written as a tar.gz to the bucket.

Nothing is kept on this machine, so an interrupted attempt leaves only a transfer to a key of its own, which the next
attempt or the sweep removes. Memory is a few windows of chunks, some parts, and two tables.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import closing
from dataclasses import dataclass, replace

from sqlalchemy import update as update_row

from app.config.settings import MIB, settings
from app.data.claims import ClaimLost
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.base import new_id
from app.data.models.game import Game
from app.data.models.upload import Upload
from app.process.crash_points import crash_point
from app.refusals import Conflict, InvalidArchive, NotFound, Refusal
from app.storage.bucket import Bucket, ObjectGone, StorageError, bucket
from app.storage.object_source import ObjectSource
from app.storage.objects import ObjectMissing
from app.storage.whole_objects import read_range
from app.uploads.discarding import abort_open_transfers
from app.uploads.reservation import GrowingReservation
from app.uploads.resumable.announced_checksum import require_checksum
from app.uploads.resumable.check_claims import Heartbeat, owns_claim
from app.uploads.updates.archive_sink import ArchiveSink
from app.uploads.updates.base_builds import BaseBuild, find_base
from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.inspection import Inspection
from slipway.packs.assembling.archive_assembling import assemble_archive
from slipway.packs.assembling.update_reading import Update, read_update
from slipway.packs.format.refusals import EntriesRefused, PackRefused

log = logging.getLogger(__name__)

MAX_GROWTH = 8
"""An archive takes at most so many times what its chunks take in storage, once it has GROWTH_GRACE_BYTES. A table may
name one chunk thousands of times: without this limit, a file of some kB would become gigabytes."""

GROWTH_GRACE_BYTES = 64 * MIB


class BaseUnusable(Refusal):
    """The base was deleted, or its pack was freed, since the update file was made."""

    code = "base_unusable"


class InvalidUpdate(Refusal):
    """An update file that breaks a rule, or that does not fit its base."""

    code = "invalid_update"


@dataclass(frozen=True)
class AssembledArchive:
    """The archive in storage, at the upload's `build_key`. `size` in bytes, `sha256` lowercase hex."""

    size: int
    sha256: str
    inspection: Inspection


def assemble(upload: Upload, heartbeat: Heartbeat) -> AssembledArchive:
    """Check the update file of this claimed upload and write the archive that it stands for.

    Raises BaseUnusable, InvalidUpdate, InvalidArchive, ChecksumMismatch, QuotaExceeded or PayloadTooLarge with the
    reason; ClaimLost; Unavailable if it cannot be done now. Repeatable.
    """
    base = _find_base(upload)
    store = bucket()
    try:
        _check_checksum(store, upload, heartbeat)
        return _assemble(store, upload, base, heartbeat)
    except EntriesRefused as refused:
        raise InvalidArchive(str(refused)) from refused
    except PackRefused as refused:
        log.warning("the update of upload %s cannot be used: %s", upload.id, refused)
        raise InvalidUpdate(
            f"The update was refused: {str(refused).rstrip('.')}. Nothing was kept; send the whole archive "
            "(`slipway push --full`)."
        ) from refused
    except (ObjectGone, ObjectMissing) as error:
        _explain_missing(store, upload, base, error)
        raise


def _find_base(upload: Upload) -> BaseBuild:
    assert upload.base_number is not None
    try:
        return find_base(upload.required_game_id, upload.base_number)
    except (NotFound, Conflict) as error:
        raise _unusable(upload) from error


def _unusable(upload: Upload) -> BaseUnusable:
    return BaseUnusable(
        f"Build {upload.base_number}, on which this update is based, was deleted meanwhile, or its pack was freed. "
        "Nothing was kept; send the whole archive (`slipway push --full`)."
    )


def _check_checksum(store: Bucket, upload: Upload, heartbeat: Heartbeat) -> None:
    if upload.announced_sha256 is None:
        return
    digest = hashlib.sha256()
    for piece in read_range(store, upload.object_key, 0, upload.size, heartbeat.require_claim):
        heartbeat.require_claim()
        digest.update(piece)
    require_checksum(upload, digest.hexdigest())


def _assemble(store: Bucket, upload: Upload, base: BaseBuild, heartbeat: Heartbeat) -> AssembledArchive:
    game = db.session.get_one(Game, upload.required_game_id)
    launcher, partner_id = game.launcher, game.partner_id
    free_connection()
    limits = ArchiveLimits(unpacked_bytes=settings().max_unpacked_bytes)
    file, pack = ObjectSource(store, upload.object_key), ObjectSource(store, base.pack.pack_key)
    update = read_update(file, upload.size, base.read_table(), pack, limits, launcher)
    crash_point("update-read")
    reservation = GrowingReservation(upload, partner_id)
    _begin_archive(store, upload)

    max_bytes = max(GROWTH_GRACE_BYTES, MAX_GROWTH * update.stored_bytes)

    def cover(size: int) -> None:
        if size > max_bytes:
            raise _grows_too_much(update.stored_bytes)
        reservation.cover(upload.size + size)

    # The size of the archive is not known. It is about that of the chunks, which are compressed too.
    limits = replace(limits, archive_bytes=update.stored_bytes)
    with closing(ArchiveSink(store, upload.build_key, limits, launcher, cover)) as sink:
        made = _write(upload, update, sink, heartbeat)
    reservation.settle(upload.size + made.size)
    return made


def _grows_too_much(stored_bytes: int) -> InvalidUpdate:
    return InvalidUpdate(
        f"The update was refused: its files repeat each other so much that the archive takes more than {MAX_GROWTH} "
        f"times the {stored_bytes:,} bytes of its chunks. Nothing was kept; send the whole archive "
        "(`slipway push --full`)."
    )


def _begin_archive(store: Bucket, upload: Upload) -> None:
    """Choose the key of this attempt. What an earlier one left is removed."""
    if upload.archive_key:
        abort_open_transfers(store, upload.archive_key)
        store.delete([upload.archive_key])
    key = f"archives/{new_id('archive')}.tar.gz"
    with writing() as session:
        chosen = update_row(Upload).where(Upload.id == upload.id, Upload.checker == upload.checker)
        if session.scalar(chosen.values(archive_key=key).returning(Upload.id)) is None:
            raise ClaimLost
    free_connection()
    upload.archive_key = key
    crash_point("assembly-begun")


def _write(upload: Upload, update: Update, sink: ArchiveSink, heartbeat: Heartbeat) -> AssembledArchive:
    total = max(1, update.table.content_bytes)

    def progressed(done: int) -> None:
        heartbeat.require_claim()
        heartbeat.bytes_read = upload.size * done // total
        heartbeat.files_read = sink.files
        crash_point("mid-assembly")

    assemble_archive(update, sink, progressed)
    return AssembledArchive(sink.size, sink.sha256, sink.finish())


def _explain_missing(store: Bucket, upload: Upload, base: BaseBuild, error: StorageError) -> None:
    """Raise the reason why an object is gone, if it is that the upload was cancelled, or that the base lost its
    pack."""
    if not owns_claim(upload):
        raise ClaimLost from error
    if store.stat(base.pack.pack_key) is None or store.stat(base.pack.index_key) is None:
        raise _unusable(upload) from error
