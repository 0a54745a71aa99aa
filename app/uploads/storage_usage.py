"""Storage of builds and their packs: of one partner by game, and of all partners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Subquery, func, select

from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.partner import Partner
from app.data.pack_sizes import pack_sizes


@dataclass(frozen=True)
class GameUsage:
    """Stored builds of one game with their packs, in bytes. A deleted game counts until its objects are deleted."""

    game_id: str
    title: str
    slug: str
    deleted: bool
    partner_id: str
    partner: str
    builds: int
    archives: int
    packs: int

    @property
    def size(self) -> int:
        return self.archives + self.packs


@dataclass(frozen=True)
class PartnerUsage:
    """Stored builds of one partner with their packs, in bytes. `games`: those with builds."""

    id: str
    name: str
    games: int
    archives: int
    packs: int

    @property
    def size(self) -> int:
        return self.archives + self.packs


@dataclass(frozen=True)
class StorageUse:
    """The largest partners and games, largest first, and how many have builds."""

    partners: Sequence[PartnerUsage]
    partner_count: int
    games: Sequence[GameUsage]
    game_count: int


def usage_by_game(partner: Partner) -> Sequence[GameUsage]:
    """Largest first, without games that have no build. One query."""
    return _game_usages(_by_game().where(Game.partner_id == partner.id))


def storage_use(limit: int) -> StorageUse:
    """Of all partners: the `limit` largest of each kind. Three queries."""
    packs = _packs_by_game()
    of_games = (
        select(
            Game.partner_id,
            func.sum(Build.size).label("archives"),
            func.coalesce(func.max(packs.c.bytes), 0).label("packs"),
        )
        .join(Build, Build.game_id == Game.id)
        .outerjoin(packs, packs.c.game_id == Game.id)
        .group_by(Game.id, Game.partner_id)
        .subquery()
    )
    archives, stored = func.sum(of_games.c.archives), func.sum(of_games.c.packs)
    rows = db.session.execute(
        select(Partner.id, Partner.name, func.count(), archives, stored)
        .join(of_games, of_games.c.partner_id == Partner.id)
        .group_by(Partner.id, Partner.name)
        .order_by((archives + stored).desc(), Partner.name)
        .limit(limit)
    )
    partners = [PartnerUsage(row[0], row[1], int(row[2]), int(row[3]), int(row[4])) for row in rows]
    games, owners = db.session.execute(
        select(func.count(Game.id.distinct()), func.count(Game.partner_id.distinct())).join(
            Build, Build.game_id == Game.id
        )
    ).one()
    return StorageUse(partners, owners, _game_usages(_by_game().limit(limit)), games)


def _packs_by_game() -> Subquery:
    stored = pack_sizes()
    return (
        select(Build.game_id, func.sum(stored.c.bytes).label("bytes"))
        .join(stored, stored.c.build_id == Build.id)
        .group_by(Build.game_id)
        .subquery()
    )


def _by_game() -> Select[Any]:
    packs = _packs_by_game()
    archives, stored = func.sum(Build.size), func.coalesce(func.max(packs.c.bytes), 0)
    return (
        select(
            Game.id,
            Game.title,
            Game.slug,
            Game.deleted_at.is_not(None),
            Partner.id,
            Partner.name,
            func.count(Build.id),
            archives,
            stored,
        )
        .join(Partner, Game.partner_id == Partner.id)
        .join(Build, Build.game_id == Game.id)
        .outerjoin(packs, packs.c.game_id == Game.id)
        .group_by(Game.id, Game.title, Game.slug, Game.deleted_at, Partner.id, Partner.name)
        .order_by((archives + stored).desc(), Game.title)
    )


def _game_usages(query: Select[Any]) -> list[GameUsage]:
    return [
        GameUsage(game_id, title, slug, bool(deleted), partner_id, partner, builds, int(archives), int(packs))
        for game_id, title, slug, deleted, partner_id, partner, builds, archives, packs in db.session.execute(query)
    ]
