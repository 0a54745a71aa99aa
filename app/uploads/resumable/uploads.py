"""Resumable uploads: their parts go straight to the bucket, and they survive a crash of the client or the app.

The bucket lists the parts that arrived; the row holds the rest. No database connection is held during a request to the
bucket.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.accounts.actors import Actor
from app.accounts.build_quota import reserve
from app.config.settings import settings
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.base import new_id, now
from app.data.models.game import Build, Game
from app.data.models.upload import RESUMABLE, Upload
from app.process.crash_points import crash_point
from app.refusals import NotFound, Refusal
from app.storage.bucket import StorageError, StoredPart, bucket
from app.storage.direct_uploads import direct_uploads
from app.uploads.discarding import discard
from app.uploads.raw.incoming_body import too_large
from app.uploads.resumable.part_layout import PartLayout
from app.uploads.resumable.upload_phases import announce_upload, fail, lock_upload, record_upload
from app.uploads.updates.base_builds import find_base

MAX_PARTS_LISTED = 50


class PartsLost(Refusal):
    """Storage no longer has the transfer: an operator, or a rule of the bucket, aborted it."""

    code = "parts_lost"


@dataclass(frozen=True)
class NewUpload:
    """What the client announces before the first byte. `sha256` is lowercase hex; `release` None: as the game's
    setting. `base`: the file is an update file that was made against this build; None: it is an archive. `part_size`:
    the bytes per part that the client asks for; None: the server chooses."""

    file_name: str
    size: int
    sha256: str | None = None
    note: str | None = None
    release: bool | None = None
    version_label: str | None = None
    base: int | None = None
    part_size: int | None = None


@dataclass(frozen=True)
class UploadState:
    """An upload and its stored parts, by number. `parts` is None if storage was not asked or did not answer."""

    upload: Upload
    parts: Sequence[StoredPart] | None

    @property
    def layout(self) -> PartLayout:
        return PartLayout(self.upload.size, self.upload.part_size)

    @property
    def received_bytes(self) -> int | None:
        """Stored bytes, or None if that is not known."""
        if self.upload.state != "uploading":
            return self.upload.size
        return None if self.parts is None else sum(part.size for part in self.layout.within(self.parts))

    @property
    def expires_at(self) -> datetime:
        """For an upload that is being sent: a week after the last part."""
        lifetime = settings().upload_lifetime
        return max([self.upload.expires_at or now(), *(part.modified + lifetime for part in self.parts or ())])


def open_upload(game: Game, new: NewUpload, actor: Actor) -> Upload:
    """Begin an upload: its row, its quota, its transfer in the bucket. Raises PayloadTooLarge, QuotaExceeded,
    DirectUploadsOff or StorageError before a byte is sent, NotFound or Conflict (`no_pack`) if the base cannot be used.
    Then nothing is kept."""
    require_size(new.size)
    game_id, partner_id = game.id, game.partner_id
    # An archive assembled from an update file is about as large as its base. The check reserves the exact size.
    reserved = new.size + (find_base(game_id, new.base).build.size if new.base is not None else 0)
    return open_transfer(partner_id, game_id, new, actor, reserved)


def require_size(size: int) -> None:
    """Raise PayloadTooLarge for an archive that has more bytes than the limit."""
    if size > settings().max_archive_bytes:
        raise too_large(settings().max_archive_bytes)


def open_transfer(partner_id: str, game_id: str | None, new: NewUpload, actor: Actor, reserved: int) -> Upload:
    """Write the row of an upload, with `reserved` bytes of quota, and begin its transfer. `game_id` None: it has no
    game yet. Raises QuotaExceeded, DirectUploadsOff or StorageError; then nothing is kept."""
    free_connection()
    direct_uploads().require()
    upload = _write_row(game_id, partner_id, new, actor, reserved)
    crash_point("resumable-row-written")
    free_connection()
    try:
        multipart_id = bucket().start_multipart(upload.object_key)
    except StorageError:
        _mark_discarding(upload.id)
        discard(upload)
        raise
    crash_point("resumable-opened")
    with writing() as session:
        upload = session.get_one(Upload, upload.id)
        upload.multipart_id = multipart_id
    crash_point("resumable-ready")
    return upload


def _write_row(game_id: str | None, partner_id: str, new: NewUpload, actor: Actor, reserved: int) -> Upload:
    upload_id = new_id("upload")
    with writing() as session:
        upload = Upload(
            id=upload_id,
            game_id=game_id,
            partner_id=None if game_id else partner_id,
            kind=RESUMABLE,
            object_key=f"archives/{upload_id}.{'tar.gz' if new.base is None else 'update'}",
            sent_by=actor.name,
            sent_from=actor.address,
            reserved_bytes=reserve(session, partner_id, reserved),
            file_name=new.file_name,
            size=new.size,
            part_size=PartLayout.of(new.size, new.part_size).part_size,
            announced_sha256=new.sha256,
            note=new.note,
            version_label=new.version_label,
            release=new.release,
            base_number=new.base,
            expires_at=now() + settings().upload_lifetime,
        )
        session.add(upload)
        announce_upload(session, upload)
    return upload


def find_upload(game: Game, upload_id: str) -> Upload:
    """An upload of this game. Raises NotFound, also for another game's."""
    upload = db.session.get(Upload, upload_id)
    if upload is None or upload.game_id != game.id or upload.kind != RESUMABLE or upload.state == "discarding":
        raise NotFound(f"No upload '{upload_id}' of '{game.slug}'. It may have been cancelled or have expired.")
    return upload


def read_upload(upload: Upload) -> UploadState:
    """The upload. While it is being sent, with its parts as storage lists them. Raises StorageError."""
    parts = stored_parts(upload) if upload.state == "uploading" else []
    if parts is None:
        return UploadState(fail_if_parts_lost(upload), [])
    return UploadState(upload, parts)


def build_of(upload: Upload) -> Build | None:
    """The build that a done upload became, or that had the same bytes (then its object is another one). None before,
    and after the build was deleted."""
    if upload.state != "done":
        return None
    return db.session.scalar(select(Build).where(Build.game_id == upload.game_id, Build.number == upload.build_number))


def stored_parts(upload: Upload) -> list[StoredPart] | None:
    """The stored parts. None if storage has no such transfer."""
    free_connection()
    return bucket().parts(upload.object_key, upload.multipart_id) if upload.multipart_id else []


def fail_if_parts_lost(upload: Upload) -> Upload:
    """Storage has no transfer of an upload that was read as `uploading`: the upload has either changed since, or lost
    its parts."""
    with writing() as session:
        row = lock_upload(session, upload.id)
        if row is None:
            raise NotFound(f"The upload '{upload.id}' was cancelled a moment ago.")
        if row.state == "uploading" and row.multipart_id == upload.multipart_id:
            fail(session, row, PartsLost("Storage no longer has the parts that were sent. Send the archive again."))
    return row


def list_uploads(game: Game, phase: str | None = None) -> list[UploadState]:
    """The uploads in one phase, or all that are being sent or checked or have failed, newest first. The stored parts
    are unknown if storage does not answer, and beyond the newest fifty uploads."""
    states = [phase] if phase else ["uploading", "checking", "failed"]
    uploads = db.session.scalars(
        select(Upload)
        .where(Upload.game_id == game.id, Upload.kind == RESUMABLE, Upload.state.in_(states))
        .order_by(Upload.created_at.desc(), Upload.id)
    ).all()
    free_connection()
    found: list[UploadState] = []
    answers = True
    for upload in uploads:
        try:
            found.append(
                read_upload(upload) if answers and len(found) < MAX_PARTS_LISTED else UploadState(upload, None)
            )
        except NotFound:
            continue  # cancelled meanwhile
        except StorageError:
            answers = False  # each further request would wait for its own timeout
            found.append(UploadState(upload, None))
    return found


def cancel(upload: Upload, actor: Actor) -> None:
    """Cancel an upload and remove its bytes, or remove one that has ended. A build made of it stays. Repeatable."""
    with writing() as session:
        row = lock_upload(session, upload.id)
        if row is None:
            return
        game = announce_upload(session, row)
        if row.state in {"uploading", "checking"}:
            record_upload(session, actor, "upload.cancelled", row, game, bytes=row.size)
        row.state = "discarding"
        row.checker = None
    discard(row)


def _mark_discarding(upload_id: str) -> None:
    with writing() as session:
        row = lock_upload(session, upload_id)
        if row is not None:
            row.state, row.reserved_bytes = "discarding", 0  # none of its bytes were sent
