"""Raw uploads: an archive streamed through the app into the bucket, hashed and inspected on its way.

Peak memory does not depend on the archive's size, and no database connection is held while bytes flow. When the upload
ends early for any reason, the transfer is aborted and only an audit entry remains.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.accounts.build_quota import reserve
from app.catalog.build_publishing import PublishedBuild, ReceivedArchive, publish_build
from app.config.settings import settings
from app.data.database import announce, free_connection, writing
from app.data.models.base import new_id
from app.data.models.game import Game
from app.data.models.upload import Upload
from app.process.crash_points import crash_point
from app.process.metrics import count_upload
from app.refusals import ChecksumMismatch, Refusal, UploadInterrupted
from app.storage.bucket import StorageError, bucket
from app.storage.part_writer import PartWriter, part_size
from app.topics.names import game_topic
from app.uploads.discarding import discard
from app.uploads.raw.incoming_body import IncomingBody
from app.uploads.raw.inspection_thread import InspectionThread
from app.uploads.raw.receiver_heartbeat import heartbeat
from app.uploads.raw.receiver_lock import lock_as_receiver
from app.uploads.reservation import GrowingReservation
from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.inspection import Inspector

log = logging.getLogger(__name__)


def receive_archive(
    game: Game,
    body: IncomingBody,
    actor: Actor,
    *,
    announced_sha256: str | None = None,
    file_name: str | None = None,
    release: bool | None = None,
    check_again: Callable[[], None] | None = None,
) -> PublishedBuild:
    """Store, check and publish one archive. `release` None: as the game's setting. `check_again` is called once all
    of it has arrived, which may take days, and raises a Refusal if the sender may not send builds any more. Raises a
    Refusal with the reason; then nothing is kept."""
    game_id, partner_id, launcher = game.id, game.partner_id, game.launcher
    upload: Upload | None = None
    lock_as_receiver(settings().instance)
    try:
        upload = _write_row(game_id, partner_id, actor, body.length)
        with heartbeat(upload.id):
            upload = _open(upload)
            reservation = GrowingReservation(upload, partner_id) if body.length is None else None
            received = _transfer(upload, body, launcher, announced_sha256, file_name, reservation)
            if reservation:
                reservation.settle(received.size)
            if check_again:
                check_again()
            crash_point("before-publish")
            published = publish_build(game_id, replace(received, release=release), actor)
            crash_point("after-publish")
    except BaseException as error:
        if upload is not None:
            discard(upload)
        if isinstance(error, Refusal):
            count_upload("raw", "refused", body.received)
            _record_refusal(game_id, actor, error, body.received, file_name)
        raise
    free_connection()  # the build stays readable; the next transaction would expire it
    count_upload("raw", "unchanged" if published.unchanged else "stored", body.received)
    if published.unchanged:
        discard(upload)
    return published


def _write_row(game_id: str, partner_id: str, actor: Actor, length: int | None) -> Upload:
    upload_id = new_id("upload")
    with writing() as session:
        upload = Upload(
            id=upload_id,
            game_id=game_id,
            object_key=f"archives/{upload_id}.tar.gz",
            sent_by=actor.name,
            reserved_bytes=reserve(session, partner_id, length or 0),
        )
        session.add(upload)
    crash_point("upload-row-written")
    free_connection()
    return upload


def _open(upload: Upload) -> Upload:
    multipart_id = bucket().start_multipart(upload.object_key)
    crash_point("multipart-opened")
    with writing() as session:
        opened = session.get_one(Upload, upload.id)
        opened.multipart_id = multipart_id
    free_connection()
    return opened


def _transfer(
    upload: Upload,
    body: IncomingBody,
    launcher: str | None,
    announced_sha256: str | None,
    file_name: str | None,
    reservation: GrowingReservation | None,
) -> ReceivedArchive:
    """Read the body once, with hash, inspection and storage in parallel, then make the object of its parts.
    `reservation` grows with a body of unknown length."""
    store = bucket()
    writer = PartWriter(
        store, upload.object_key, upload.multipart_id or "", part_size(body.length, settings().max_archive_bytes)
    )
    limits = ArchiveLimits(unpacked_bytes=settings().max_unpacked_bytes, archive_bytes=body.length or 0)
    checker = InspectionThread(Inspector(limits, launcher))
    digest = hashlib.sha256()
    try:
        try:
            for piece in body.pieces():
                if reservation:
                    reservation.cover(body.received)
                checker.feed(piece)
                writer.write(piece)
                digest.update(piece)
                crash_point("mid-body")
        except UploadInterrupted:
            checker.finish_early()  # if the archive breaks a rule too, that reason is the useful one
            raise
        inspection = checker.finish()
        crash_point("body-read")
        _compare(digest.hexdigest(), announced_sha256)
        etags = writer.finish()
        crash_point("parts-stored")
        # Also when the newest build has these bytes: a newer one may exist by the time of publish_build().
        store.complete_multipart(upload.object_key, upload.multipart_id or "", etags)
        stored = store.stat(upload.object_key)
        if stored is None or stored.size != body.received:
            raise StorageError("finishing an upload")
        crash_point("object-complete")
    finally:
        checker.close()
        writer.close()
    return ReceivedArchive(upload.id, upload.object_key, body.received, digest.hexdigest(), inspection, file_name)


def _compare(sha256: str, announced: str | None) -> None:
    if announced is not None and announced != sha256:
        raise ChecksumMismatch(
            f"X-Checksum-Sha256 is {announced}, but the bytes that arrived have {sha256}. "
            "Nothing was kept; send the archive again."
        )


def _record_refusal(game_id: str, actor: Actor, error: Refusal, received: int, file_name: str | None) -> None:
    with writing() as session:
        game = session.get(Game, game_id)
        if game is not None:
            record(
                session,
                actor,
                "build.refused",
                game.title,
                game=game,
                code=error.code,
                reason=error.message,
                bytes=received,
                file_name=file_name,
            )
            announce(game_topic(game_id))
