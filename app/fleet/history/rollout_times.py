"""How long releases took to be cached everywhere.

The time is recorded with the copy that completes it, not derived on each read: copies are evicted, and servers come and
go (docs/decisions/0119).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Update, and_, exists, func, select, update
from sqlalchemy.orm import Session

from app.data.database import in_batches
from app.data.extensions import db
from app.data.models.game import Game, Release
from app.data.models.server import Replica, Server
from app.fleet.active_servers import IS_ACTIVE

MAX_RELEASES = 12
_UNSYNCHRONIZED = {"synchronize_session": False}


@dataclass(frozen=True)
class RolloutTime:
    """One release. `seconds`: until every active server had a copy. None: not yet if `is_live`, else not recorded."""

    build: int
    released_at: datetime
    seconds: float | None
    is_live: bool


def record_cached_everywhere(session: Session, game_ids: Collection[str], at: datetime) -> None:
    """Record the time for the newest release of each game if all active servers have cached its build and no time is
    recorded. Inside writing(), with the games locked: two servers that complete it in two transactions at once must see
    each other's copies."""
    for ids in in_batches(sorted(game_ids)):
        session.flush()
        session.execute(_statement(ids).values(cached_everywhere_at=at), execution_options=_UNSYNCHRONIZED)


def _statement(game_ids: Sequence[str]) -> Update:
    newest = select(func.max(Release.id)).where(Release.game_id.in_(game_ids)).group_by(Release.game_id)
    has_copy = exists().where(
        Replica.server_id == Server.id, Replica.build_id == Release.build_id, Replica.phase == "cached"
    )
    lacks_copy = exists().where(IS_ACTIVE, ~has_copy.correlate(Server, Release))
    return update(Release).where(
        Release.id.in_(newest),
        Release.cached_everywhere_at.is_(None),
        Release.build_id.is_not(None),
        exists().where(IS_ACTIVE),
        ~lacks_copy.correlate(Release),
    )


def games_awaiting(session: Session, server_id: str) -> list[str]:
    """Ids of the games whose live build the server has not cached. Inside writing()."""
    query = (
        select(Game.id)
        .outerjoin(Replica, and_(Replica.build_id == Game.released_build_id, Replica.server_id == server_id))
        .where(Game.released_build_id.is_not(None), func.coalesce(Replica.phase, "") != "cached")
    )
    return sorted(session.scalars(query))


def rollout_times(game: Game) -> list[RolloutTime]:
    """Of the newest MAX_RELEASES releases, newest first. One query."""
    query = select(Release).where(Release.game_id == game.id).order_by(Release.id.desc()).limit(MAX_RELEASES)
    found = db.session.scalars(query).all()
    return [
        _rollout_time(release, place == 0 and release.build_id == game.released_build_id)
        for place, release in enumerate(found)
    ]


def _rollout_time(release: Release, is_live: bool) -> RolloutTime:
    done = release.cached_everywhere_at
    seconds = max(0.0, (done - release.released_at).total_seconds()) if done else None
    return RolloutTime(release.build_number, release.released_at, seconds, is_live)
