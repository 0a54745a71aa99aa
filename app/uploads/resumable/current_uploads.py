"""The uploads of a game that are being sent or checked, as its page lists them. Storage is not asked."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from app.data.extensions import db
from app.data.models.upload import RESUMABLE, Upload

MAX_LISTED = 20


def current_uploads(game_id: str) -> Sequence[Upload]:
    """The newest MAX_LISTED, newest first."""
    return db.session.scalars(
        select(Upload)
        .where(Upload.game_id == game_id, Upload.kind == RESUMABLE, Upload.state.in_(("uploading", "checking")))
        .order_by(Upload.created_at.desc(), Upload.id)
        .limit(MAX_LISTED)
    ).all()
