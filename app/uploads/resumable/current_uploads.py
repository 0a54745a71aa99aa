"""The uploads that are being sent or checked, as pages list them. Storage is not asked."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, func, select

from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.partner import PartnerIdentity
from app.data.models.upload import RESUMABLE, Upload

MAX_LISTED = 20


def current_uploads(game_id: str) -> Sequence[Upload]:
    """The newest MAX_LISTED of a game, newest first."""
    return db.session.scalars(_current().where(Upload.game_id == game_id)).all()


def current_uploads_of_partner(partner: PartnerIdentity) -> Sequence[Upload]:
    """The newest MAX_LISTED of all games of a partner and without a game, newest first. One query."""
    return db.session.scalars(
        _current()
        .outerjoin(Game, Upload.game_id == Game.id)
        .where(func.coalesce(Game.partner_id, Upload.partner_id) == partner.id, Game.deleted_at.is_(None))
    ).all()


def _current() -> Select[Upload]:
    return (
        select(Upload)
        .where(Upload.kind == RESUMABLE, Upload.state.in_(("uploading", "checking")))
        .order_by(Upload.created_at.desc(), Upload.id)
        .limit(MAX_LISTED)
    )
