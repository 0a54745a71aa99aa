"""Rules for builds and releases: from a checked archive to what players get."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.catalog.releasing import set_live_build
from app.catalog.retention import apply_retention_later
from app.data.database import announce, writing
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.upload import RESUMABLE, Upload
from app.process.crash_points import crash_point
from app.refusals import NotFound, Refusal, UploadInterrupted
from app.topics.names import catalog_topic, game_topic, partner_topic
from slipway.archive.inspection import Inspection

RESULT_LIFETIME = timedelta(days=7)  # how long a resumable upload goes on saying which build it became


@dataclass(frozen=True)
class ReceivedArchive:
    """An archive whose bytes are stored whole and checked. `sha256` is lowercase hex."""

    upload_id: str
    object_key: str
    size: int
    sha256: str
    inspection: Inspection
    file_name: str | None = None
    note: str | None = None
    release: bool | None = None  # None: as the game is set
    checker: str | None = None  # whose claim the check of a resumable upload was


class ClaimLost(Refusal):
    """A resumable upload is checked by another worker by now: this one may not publish it."""

    def __init__(self) -> None:
        super().__init__("Another worker has taken this upload over.")


@dataclass(frozen=True)
class PublishedBuild:
    """What became of an archive. `unchanged`: the newest build had the same bytes, so none was made and the object
    is not needed."""

    build: Build
    released: bool
    unchanged: bool


def newest_build(session: Session, game_id: str) -> Build | None:
    """The ready build with the highest number."""
    return session.scalar(select(Build).where(Build.game_id == game_id).order_by(Build.number.desc()).limit(1))


def publish_build(game_id: str, received: ReceivedArchive, actor: Actor) -> PublishedBuild:
    """One transaction: compare with the newest build, number the new one, release it if the game releases by itself.

    Raises NotFound when the game was deleted meanwhile, UploadInterrupted when the upload's row is gone, ClaimLost
    when another worker checks it by now."""
    with writing() as session:
        game = session.get(Game, game_id, with_for_update={"key_share": True})
        if game is None or game.deleted_at is not None:
            raise NotFound("The game was deleted while its archive was being sent. Nothing was kept.")
        # Held, so that the sweeper cannot take the object away while its build is being written.
        upload = session.get(Upload, received.upload_id, with_for_update=True)
        if upload is None or upload.state == "discarding":
            raise UploadInterrupted(
                "The upload was taken for dead and swept away before it was complete. Send the archive again."
            )
        if upload.checker != received.checker:
            raise ClaimLost
        newest = newest_build(session, game_id)
        if newest and newest.sha256 == received.sha256:
            live = game.released_build_id == newest.id
            _conclude(session, upload, newest, released=live, unchanged=True)
            return PublishedBuild(newest, live, unchanged=True)
        build = _number(session, game, received, actor)
        released = game.auto_release if received.release is None else received.release
        _conclude(session, upload, build, released=released, unchanged=False)
        if released:
            set_live_build(session, game, build, actor)
        crash_point("in-publish")
        announce(game_topic(game.id), partner_topic(game.partner_id), catalog_topic(game.partner_id))
    if game.keep_builds is not None:
        apply_retention_later(game_id)
    return PublishedBuild(build, released, unchanged=False)


def _conclude(session: Session, upload: Upload, build: Build, *, released: bool, unchanged: bool) -> None:
    """One of the raw door has served with its request, whose end removes what an unchanged one stored; a resumable
    one goes on saying what it became."""
    if upload.kind != RESUMABLE:
        if not unchanged:
            session.delete(upload)
        return
    upload.state = "done"
    upload.checker = None
    upload.bytes_read, upload.files_read = build.size, build.members
    upload.build_number, upload.released = build.number, released
    upload.expires_at = now() + RESULT_LIFETIME
    if unchanged:
        announce(game_topic(upload.game_id))
    else:
        upload.reserved_bytes = 0  # its bytes count as the build's from here on
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
        sent_by=actor.name,
    )
    game.next_build_number += 1
    game.updated_at = now()
    session.add(build)
    session.flush()
    subject = f"{game.title}, build {build.number}"
    record(session, actor, "build.ready", subject, game=game, size=build.size, checksum=build.checksum)
    return build
