"""The history of a game's releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from app.data.cursors import number_position
from app.data.extensions import db
from app.data.models.game import Game, Release


@dataclass(frozen=True)
class ReleasePage:
    """Newest first; the first release of the first page is the live one. `next_cursor` is where the next page begins,
    or None at the end."""

    releases: Sequence[Release]
    live_id: int | None
    total: int
    next_cursor: str | None


def newest_release(game: Game) -> Release | None:
    """The release of the live build, or None if no build is live."""
    if game.released_build_id is None:
        return None
    return db.session.scalar(select(Release).where(Release.game_id == game.id).order_by(Release.id.desc()).limit(1))


def list_releases(game: Game, limit: int | None = None, cursor: str | None = None) -> ReleasePage:
    """Every release, including those of deleted builds. Raises InvalidRequest for an unknown cursor."""
    live_id, total = db.session.execute(
        select(func.max(Release.id), func.count()).where(Release.game_id == game.id)
    ).one()
    query = select(Release).where(Release.game_id == game.id).order_by(Release.id.desc())
    if cursor is not None:
        query = query.where(Release.id < number_position(cursor))
    if limit is not None:
        query = query.limit(limit + 1)
    found = db.session.scalars(query).all()
    releases = found if limit is None else found[:limit]
    return ReleasePage(releases, live_id, total, str(releases[-1].id) if len(releases) < len(found) else None)
