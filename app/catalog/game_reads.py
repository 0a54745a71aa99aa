"""Games as the APIs read them: plain rows of prepared statements. A session with its objects took most of the time of a
short call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, exists, func, select
from sqlalchemy.sql import Select

from app.catalog.game_filters import GameFilter, filter_games
from app.catalog.game_lookup import no_game
from app.data.database import free_connection, reading
from app.data.list_orders import chosen_order, descending, text_order, time_order
from app.data.models.asset import GamePicture
from app.data.models.base import now
from app.data.models.game import Build, Game, Status, status_of
from app.data.models.partner import PartnerIdentity
from app.data.models.server import Replica, Server
from app.data.prepared_reads import PreparedRead
from app.fleet.active_servers import IS_ACTIVE, is_cached
from app.fleet.contact import contact_begins
from app.topics.names import catalog_topic
from app.topics.versions import newest_version


@dataclass(frozen=True)
class ListedGame:
    """A game in a list."""

    id: str
    slug: str
    title: str
    developer: str
    tags: list[str]
    created_at: datetime
    updated_at: datetime
    released_build_id: str | None

    @property
    def status(self) -> Status:
        return status_of(self.released_build_id)


@dataclass(frozen=True)
class ListedGames:
    games: Sequence[ListedGame]
    total: int  # of all pages
    next_cursor: str | None


_LISTED = (
    Game.id,
    Game.slug,
    Game.title,
    Game.developer,
    Game.tags,
    Game.created_at,
    Game.updated_at,
    Game.released_build_id,
)
_BY_CREATION = time_order(Game.created_at.expression, Game.id.expression)
_BY_CHANGE = time_order(Game.updated_at.expression, Game.id.expression)
_BY_TITLE = text_order(func.lower(Game.title), Game.id.expression)
# By the name in an address; the first one is the default, which is the order of the documented list.
LISTED_ORDERS = {
    "created": _BY_CREATION,
    "-created": descending(_BY_CREATION),
    "updated": _BY_CHANGE,
    "-updated": descending(_BY_CHANGE),
    "title": _BY_TITLE,
    "-title": descending(_BY_TITLE),
}
_OF_PARTNER = (Game.partner_id == bindparam("partner"), Game.deleted_at.is_(None))


def catalog_version(partner: PartnerIdentity) -> int:
    """The version of the partner's catalog. Lists that are read later are at least as new."""
    return newest_version(catalog_topic(partner.id))


def list_games(partner: PartnerIdentity, wanted: GameFilter) -> ListedGames:
    """`wanted.sort`: of LISTED_ORDERS. At most two queries for any number of games, and that of the filter. Raises
    InvalidRequest for an unknown cursor."""
    everything: Any = select(*_LISTED).where(Game.partner_id == partner.id, Game.deleted_at.is_(None))
    matching: Any = filter_games(everything, wanted)
    order = chosen_order(LISTED_ORDERS, wanted.sort)
    page = order.of(matching, wanted.after)
    if wanted.limit is not None:
        page = page.limit(wanted.limit + 1)
    free_connection()  # of a session with which the filter has read
    with reading() as connection:
        rows = connection.execute(page).all()
        more = wanted.limit is not None and len(rows) > wanted.limit
        is_everything = not wanted.after and not more
        total = len(rows) if is_everything else connection.scalar(_count(matching)) or 0
    rows = rows[: wanted.limit]
    next_cursor = order.cursor(rows[-1].order_value, rows[-1].id) if more else None
    return ListedGames([ListedGame(*row[:-1]) for row in rows], total, next_cursor)


def _count(matching: Any) -> Any:
    return matching.with_only_columns(func.count(), maintain_column_froms=True)


@dataclass(frozen=True)
class GameFacts:
    """One game. `released_number`: the live build's number. `servers`: how many are active; `cached`: how many of them
    have cached the live build. `sent_bytes`, `saved_bytes`: by servers' transfers of all its builds. `has_pictures`:
    whether a cover or screenshot was picked from its assets."""

    id: str
    slug: str
    title: str
    developer: str
    description: str
    tags: list[str]
    launcher: str | None
    renpy_dir: str | None
    thumbnail: str | None
    screenshots: list[str] | None
    release_date: str | None
    content_rating: str | None
    languages: list[str] | None
    auto_release: bool
    keep_builds: int | None
    released_build_id: str | None
    sent_bytes: int
    saved_bytes: int
    released_number: int | None
    servers: int
    cached: int
    has_pictures: bool

    @property
    def status(self) -> Status:
        return status_of(self.released_build_id)


_COMPUTED = ("released_number", "servers", "cached", "has_pictures")
_SERVERS = select(func.count()).select_from(Server).where(IS_ACTIVE)
_CACHED = (
    select(func.count())
    .select_from(Replica)
    .join(Server, Replica.server_id == Server.id)
    .where(Replica.build_id == Game.released_build_id, *is_cached(bindparam("contact_begins")))
)
_FACTS_OF_GAME: Select[Any] = select(
    *(getattr(Game, field.name) for field in fields(GameFacts) if field.name not in _COMPUTED),
    select(Build.number).where(Build.id == Game.released_build_id).correlate(Game).scalar_subquery(),
    _SERVERS.scalar_subquery(),
    _CACHED.correlate(Game).scalar_subquery(),
    exists(select(1).where(GamePicture.game_id == Game.id).correlate(Game)),
).where(*_OF_PARTNER, Game.slug == bindparam("slug"))
_FACTS = PreparedRead(_FACTS_OF_GAME, GameFacts)


def game_facts(partner: PartnerIdentity, slug: str) -> GameFacts:
    """One game of the partner, in one query. The look-up is the authorisation: raises NotFound, also for another
    partner's game."""
    found = _FACTS.first(partner=partner.id, slug=slug, contact_begins=contact_begins(now()))
    if found is None:
        raise no_game(slug)
    return found


@dataclass(frozen=True)
class LiveBuild:
    """`build_id` is None before a game's first release."""

    build_id: str | None


_LIVE = PreparedRead(
    select(Game.released_build_id).where(*_OF_PARTNER, Game.slug == bindparam("slug")),
    LiveBuild,
)


def live_build_of(partner: PartnerIdentity, slug: str) -> LiveBuild:
    """A game's live build. The look-up is the authorisation: raises NotFound, also for another partner's game."""
    found = _LIVE.first(partner=partner.id, slug=slug)
    if found is None:
        raise no_game(slug)
    return found
