"""Uploads that begin before their game exists: a new game's first archive is sent while its form is filled in.

Such an upload belongs to a partner. It reserves quota, accepts parts and expires like any other, and it is checked once
it has a game. From then on it is an upload of that game.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from app.accounts.actors import Actor
from app.catalog.game_lookup import no_game
from app.data.database import lock_for_update, writing
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.partner import PartnerIdentity
from app.data.models.upload import RESUMABLE, Upload
from app.process.crash_points import crash_point
from app.refusals import Conflict, NotFound
from app.uploads.resumable.upload_phases import announce_upload, lock_upload
from app.uploads.resumable.uploads import NewUpload, open_transfer, require_size


def open_upload_without_game(partner: PartnerIdentity, new: NewUpload, actor: Actor) -> Upload:
    """Begin an archive's upload that has no game yet. Raises PayloadTooLarge, QuotaExceeded, DirectUploadsOff or
    StorageError before a byte is sent; then nothing is kept."""
    require_size(new.size)
    return open_transfer(partner.id, None, new, actor, new.size)


def find_upload_of_partner(partner: PartnerIdentity, upload_id: str) -> Upload:
    """An upload of this partner, of whichever of its games, or without one: its address stays when it is given a game.
    Raises NotFound, also for another partner's upload and for one of a deleted game."""
    upload = db.session.scalar(
        select(Upload)
        .outerjoin(Game, Upload.game_id == Game.id)
        .where(
            Upload.id == upload_id,
            Upload.kind == RESUMABLE,
            Upload.state != "discarding",
            func.coalesce(Game.partner_id, Upload.partner_id) == partner.id,
            Game.deleted_at.is_(None),
        )
    )
    if upload is None:
        raise _no_upload(upload_id)
    return upload


def uploads_without_game(partner: PartnerIdentity) -> Sequence[Upload]:
    """Those that are being sent or have failed, newest first."""
    return db.session.scalars(
        select(Upload)
        .where(Upload.partner_id == partner.id, Upload.game_id.is_(None), Upload.state.in_(("uploading", "failed")))
        .order_by(Upload.created_at.desc(), Upload.id)
    ).all()


def give_game(upload: Upload, game: Game) -> Upload:
    """Make it an upload of this game. Repeatable. The game and the upload must belong to the same partner.

    Raises NotFound if one of them is gone, and Conflict (`upload_has_game`) if it is another game's."""
    with writing() as session:
        lock_for_update(session, game)
        if game.deleted_at is not None:
            raise no_game(game.slug)
        row = lock_upload(session, upload.id)
        if row is None:
            raise _no_upload(upload.id)
        if row.game_id is None:
            row.game_id = game.id
            announce_upload(session, row)
        elif row.game_id != game.id:
            raise Conflict(
                "The upload belongs to another game already. Send the archive again for this game.", "upload_has_game"
            )
    crash_point("game-given")
    return row


def slug_of_game(upload: Upload) -> str | None:
    """The slug of the upload's game, or None while it has none."""
    return db.session.scalar(select(Game.slug).where(Game.id == upload.game_id)) if upload.game_id else None


def _no_upload(upload_id: str) -> NotFound:
    return NotFound(f"No upload '{upload_id}'. It may have been cancelled or have expired.")
