"""From a checked archive to a build."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.catalog.releasing import set_live_build
from app.catalog.retention import apply_retention_later
from app.data.claims import ClaimLost
from app.data.database import announce, writing
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.upload import RESUMABLE, Upload
from app.packing.pack_requests import request_pack
from app.process.crash_points import crash_point
from app.refusals import NotFound, UploadInterrupted
from app.topics.names import catalog_topic, game_topic, partner_topic
from app.topics.queue import enqueue
from slipway.archive.inspection import Inspection

RESULT_LIFETIME = timedelta(days=7)  # how long a resumable upload shows its build


@dataclass(frozen=True)
class ReceivedArchive:
    """An archive whose bytes are completely stored and checked. `sha256` is lowercase hex."""

    upload_id: str
    object_key: str
    size: int
    sha256: str
    inspection: Inspection
    file_name: str | None = None
    note: str | None = None
    version_label: str | None = None
    release: bool | None = None  # None: as the game's setting
    checker: str | None = None  # the claim of the worker that checked a resumable upload


@dataclass(frozen=True)
class PublishedBuild:
    """The result for an archive. `unchanged`: the newest build has the same bytes, so no build was made and the object
    is not needed."""

    build: Build
    released: bool
    unchanged: bool


def newest_build(session: Session, game_id: str) -> Build | None:
    """The ready build with the highest number."""
    return session.scalar(select(Build).where(Build.game_id == game_id).order_by(Build.number.desc()).limit(1))


def publish_build(game_id: str, received: ReceivedArchive, actor: Actor) -> PublishedBuild:
    """In one transaction: compare with the newest build, number the new one, release it if the game releases
    automatically.

    Raises NotFound if the game was deleted meanwhile, UploadInterrupted if the upload's row is gone, ClaimLost if
    another worker now checks it.
    """
    with writing() as session:
        game = session.get(Game, game_id, with_for_update={"key_share": True})
        if game is None or game.deleted_at is not None:
            raise NotFound("The game was deleted while its archive was being sent. Nothing was kept.")
        # Locked, so that the sweep cannot delete the object while its build is being written.
        upload = session.get(Upload, received.upload_id, with_for_update=True)
        if upload is None or upload.state == "discarding":
            raise UploadInterrupted(
                "The upload timed out and was removed before it was complete. Send the archive again."
            )
        if upload.checker != received.checker:
            raise ClaimLost
        newest = newest_build(session, game_id)
        if newest and newest.sha256 == received.sha256:
            live = game.released_build_id == newest.id
            _conclude(session, upload, newest, released=live, unchanged=True)
            announce(game_topic(game.id), partner_topic(game.partner_id))
            return PublishedBuild(newest, live, unchanged=True)
        build = _number(session, game, received, actor)
        request_pack(session, build)
        released = game.auto_release if received.release is None else received.release
        _conclude(session, upload, build, released=released, unchanged=False)
        if released:
            set_live_build(session, game, build, actor)
        crash_point("in-publish")
        announce(game_topic(game.id), partner_topic(game.partner_id), catalog_topic(game.partner_id))
    enqueue("make_packs", build.id)
    if game.keep_builds is not None:
        apply_retention_later(game_id)
    return PublishedBuild(build, released, unchanged=False)


def _conclude(session: Session, upload: Upload, build: Build, *, released: bool, unchanged: bool) -> None:
    """A raw upload's row is deleted; for an unchanged one, the request deletes row and object when it ends. A resumable
    upload's row stays and shows its result."""
    if upload.kind != RESUMABLE:
        if not unchanged:
            session.delete(upload)
        return
    upload.state = "done"
    upload.checker = None
    upload.bytes_read, upload.files_read = upload.size, build.members
    upload.build_number, upload.released = build.number, released
    upload.expires_at = now() + RESULT_LIFETIME
    if not unchanged:
        # From here on, they count as the build's bytes. An update file is not the build's, and is removed later.
        upload.reserved_bytes = upload.size if upload.archive_key else 0
        upload.multipart_id = None


def _number(session: Session, game: Game, received: ReceivedArchive, actor: Actor) -> Build:
    found = received.inspection
    build = Build(
        game_id=game.id,
        number=game.next_build_number,
        object_key=received.object_key,
        size=received.size,
        sha256=received.sha256,
        unpacked_bytes=found.unpacked_bytes,
        members=found.members,
        launcher=found.launcher,
        top_directory=found.top_directory,
        warnings=list(found.warnings),
        file_name=received.file_name,
        note=received.note,
        version_label=received.version_label,
        sent_by=actor.name,
    )
    game.next_build_number += 1
    game.updated_at = now()
    session.add(build)
    session.flush()
    subject = f"{game.title}, build {build.number}"
    record(session, actor, "build.ready", subject, game=game, size=build.size, checksum=build.checksum)
    return build
