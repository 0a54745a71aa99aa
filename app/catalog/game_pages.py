"""A partner's games for the dashboard: one page of them, and counts of all, in a constant number of queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, String, and_, case, exists, func, select, true

from app.catalog.game_filters import GameFilter, filter_games
from app.catalog.game_lookup import games_of
from app.data.extensions import db
from app.data.list_orders import (
    chosen_order,
    descending,
    read_page,
    require_cursor,
    size_order,
    text_order,
    time_order,
)
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.partner import PartnerIdentity
from app.data.models.server import Replica, Server
from app.fleet.active_servers import IS_ACTIVE
from app.fleet.build_states import SHOWN_RETRIES
from app.fleet.contact import contact_begins

MAX_TAGS = 200
# The states that a list names, worst first. A server without contact is in none of them.
_WORST_FIRST = ("failed", "retrying", "downloading", "verifying")


_BY_CHANGE = time_order(Game.updated_at.expression, Game.id.expression)
_BY_TITLE = text_order(func.lower(Game.title), Game.id.expression)
_LIVE_SIZE = select(Build.size).where(Build.id == Game.released_build_id).correlate(Game).scalar_subquery()
_BY_SIZE = size_order(func.coalesce(_LIVE_SIZE, 0), Game.id.expression)  # of the live build, 0 without one
# By the name in an address; the first one is the default.
GAME_ORDERS = {
    "-updated": descending(_BY_CHANGE),
    "updated": _BY_CHANGE,
    "title": _BY_TITLE,
    "-title": descending(_BY_TITLE),
    "-size": descending(_BY_SIZE),
    "size": _BY_SIZE,
}


@dataclass(frozen=True)
class GamesPage:
    """`next_cursor`: where the next page begins, or None at the end."""

    games: Sequence[Game]
    next_cursor: str | None


@dataclass(frozen=True)
class GameCounts:
    """`attention`: games whose live build failed somewhere. `worst`: state -> games of which it is the worst state on
    any server."""

    total: int
    live: int
    attention: int
    worst: Counter[str]

    def of_status(self, status: str) -> int:
        """How many games have this status; "" for all."""
        found = {"live": self.live, "waiting": self.total - self.live, "attention": self.attention}
        return found.get(status, self.total)


def require_page(sort: str, after: str) -> None:
    """Raise InvalidRequest unless `after` is empty or a cursor of `games_page()` in this order."""
    require_cursor(chosen_order(GAME_ORDERS, sort), after)


def games_page(partner: PartnerIdentity, wanted: GameFilter, status: str, limit: int) -> GamesPage:
    """One page. `status`: live, waiting, attention, or "" for all; `wanted.sort`: of GAME_ORDERS. Raises InvalidRequest
    for an unknown cursor."""
    query = filter_games(games_of(partner), wanted)
    if status in {"live", "waiting"}:
        query = query.where(
            Game.released_build_id.is_not(None) if status == "live" else Game.released_build_id.is_(None)
        )
    elif status == "attention":
        query = query.where(exists(select(1).where(*_reported_as("failed")).correlate(Game)))
    rows, next_cursor = read_page(query, chosen_order(GAME_ORDERS, wanted.sort), limit, wanted.after)
    return GamesPage([row.Game for row in rows], next_cursor)


def game_counts(partner: PartnerIdentity, wanted: GameFilter) -> GameCounts:
    """Counts of the games that match, of all pages. Two queries."""
    matching = filter_games(games_of(partner), wanted)
    total, live = db.session.execute(
        matching.with_only_columns(func.count(), func.count(Game.released_build_id), maintain_column_froms=True)
    ).one()
    rank = case(
        (and_(Replica.phase == "failed", Replica.attempt > SHOWN_RETRIES), 0),
        (Replica.phase == "failed", 1),
        (Replica.phase == "downloading", 2),
        else_=3,
    )
    per_game = (
        matching.with_only_columns(func.min(rank).label("rank"), maintain_column_froms=True)
        .where(*_reported_as("failed", "downloading", "verifying"))
        .group_by(Game.id)
        .subquery()
    )
    ranks = db.session.execute(select(per_game.c.rank, func.count()).group_by(per_game.c.rank))
    worst = Counter({_WORST_FIRST[place]: count for place, count in ranks})
    return GameCounts(total, live, worst["failed"] + worst["retrying"], worst)


def _reported_as(*phases: str) -> tuple[ColumnElement[bool], ...]:
    """Whether an active server in contact reports the game's live build in one of these phases."""
    return (
        Replica.build_id == Game.released_build_id,
        Replica.phase.in_(phases),
        Server.id == Replica.server_id,
        IS_ACTIVE,
        Server.last_report_at >= contact_begins(now()),
    )


def has_games(partner: PartnerIdentity) -> bool:
    """Whether the partner has a game that is not deleted."""
    return bool(db.session.scalar(select(exists(games_of(partner)))))


def tags_in_use(partner: PartnerIdentity) -> list[str]:
    """The tags of a partner's games, without duplicates, in alphabetical order; the most frequent 200."""
    elements: Any = func.json_array_elements_text if db.engine.dialect.name == "postgresql" else func.json_each
    tags = elements(Game.tags).table_valued("value")
    tag: ColumnElement[Any] = func.cast(tags.c.value, String)
    frequent = (
        select(tag)
        .select_from(Game)
        .join(tags, true())
        .where(Game.partner_id == partner.id, Game.deleted_at.is_(None))
        .group_by(tag)
        .order_by(func.count().desc(), tag)
        .limit(MAX_TAGS)
    )
    return sorted(db.session.scalars(frequent), key=str.casefold)
