"""The phases of a resumable upload: uploading → checking → done, or failed.

Every step is one transaction on the locked row. Its leftovers in the bucket are removed after it, and again by the
sweep if the process died in between.
"""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.config.settings import settings
from app.data.database import announce, free_connection, writing
from app.data.models.base import now
from app.data.models.game import Game
from app.data.models.upload import RESUMABLE, Upload
from app.process.crash_points import crash_point
from app.refusals import Refusal
from app.storage.bucket import bucket
from app.topics.names import game_topic, partner_topic
from app.uploads.discarding import abort_transfers, delete_objects_unless_built

log = logging.getLogger(__name__)


def lock_upload(session: Session, upload_id: str) -> Upload | None:
    """The current row of a resumable upload, locked until the transaction ends. None if it was deleted or is being
    discarded."""
    found = session.get(Upload, upload_id, with_for_update={"key_share": True}, populate_existing=True)
    return found if found is not None and found.kind == RESUMABLE and found.state != "discarding" else None


def sender_of(upload: Upload) -> Actor:
    """The member or key that sent it, for later actions in its name."""
    return Actor(upload.sent_by, upload.sent_from)


def begin_checking(session: Session, upload: Upload) -> None:
    """Every part has arrived: from now on, workers may check it. Inside writing(), with the row locked."""
    upload.state = "checking"
    upload.checker = None
    upload.bytes_read = upload.files_read = 0
    upload.touched_at = now()
    announce_upload(session, upload)


def announce_upload(session: Session, upload: Upload) -> Game | None:
    """Announce that an upload has begun, ended or changed its phase, to its game's page and to its partner's list of
    games. Returns the game, or None while it has none. Inside writing()."""
    if upload.game_id is None:
        announce(partner_topic(str(upload.partner_id)))
        return None
    game = session.get_one(Game, upload.game_id)
    announce(game_topic(game.id), partner_topic(game.partner_id))
    return game


def record_upload(
    session: Session, actor: Actor, action: str, upload: Upload, game: Game | None, **details: Any
) -> None:
    """Add an audit entry about an upload: of its game, or of its partner while it has none. Inside writing()."""
    subject = f"{game.title}, {upload.shown_name}" if game else upload.shown_name
    record(session, actor, action, subject, partner_id=upload.partner_id, game=game, **details)


def fail(session: Session, upload: Upload, refusal: Refusal) -> None:
    """The upload will not become a build. The reason is kept until the upload expires; call `remove_leftovers()` after
    the commit. Inside writing(), with the row locked."""
    upload.state = "failed"
    upload.checker = None
    upload.reason_code, upload.reason = refusal.code, refusal.message
    upload.expires_at = now() + settings().upload_lifetime
    game = announce_upload(session, upload)
    record(
        session,
        sender_of(upload),
        "build.refused",
        game.title if game else upload.shown_name,
        partner_id=upload.partner_id,
        game=game,
        code=refusal.code,
        reason=refusal.message,
        bytes=upload.size,
        file_name=upload.file_name,
    )


def remove_leftovers(upload: Upload) -> None:
    """Remove the bytes of an upload that is done or failed, unless a build is made of them, and free its reserved
    bytes. Repeatable."""
    store = bucket()
    abort_transfers(store, upload)
    delete_objects_unless_built(store, upload)
    crash_point("upload-tidied")
    with writing() as session:
        session.execute(update(Upload).where(Upload.id == upload.id).values(reserved_bytes=0, multipart_id=None))
    free_connection()
