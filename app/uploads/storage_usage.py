"""A partner's storage by game."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.partner import Partner
from app.data.pack_sizes import pack_sizes


@dataclass(frozen=True)
class GameUsage:
    """Stored builds of one game with their packs. A deleted game counts until its objects are deleted."""

    game_id: str
    title: str
    slug: str
    deleted: bool
    builds: int
    size: int


def usage_by_game(partner: Partner) -> Sequence[GameUsage]:
    """Largest first, without games that have no build. One query."""
    stored = pack_sizes()
    packs = (
        select(Build.game_id, func.sum(stored.c.bytes).label("bytes"))
        .join(stored, stored.c.build_id == Build.id)
        .group_by(Build.game_id)
        .subquery()
    )
    total = func.sum(Build.size) + func.coalesce(func.max(packs.c.bytes), 0)
    rows = db.session.execute(
        select(Game.id, Game.title, Game.slug, Game.deleted_at, func.count(Build.id), total)
        .join(Build, Build.game_id == Game.id)
        .outerjoin(packs, packs.c.game_id == Game.id)
        .where(Game.partner_id == partner.id)
        .group_by(Game.id, Game.title, Game.slug, Game.deleted_at)
        .order_by(total.desc(), Game.title)
    )
    return [
        GameUsage(game_id, title, slug, deleted_at is not None, builds, int(size))
        for game_id, title, slug, deleted_at, builds, size in rows
    ]
