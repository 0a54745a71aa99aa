"""What a queued build waits for: the build that its server downloads or verifies now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from sqlalchemy import and_, case, or_, select

from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.server import Replica
from app.fleet.rollout_states import Ahead

_UNDER_WAY = ("downloading", "verifying")


def is_busy_with_others(server_id: str, partner_id: str) -> bool:
    """Whether a server downloads or verifies builds of other partners only."""
    partners = set(
        db.session.scalars(
            select(Game.partner_id)
            .join(Replica, Replica.game_id == Game.id)
            .where(Replica.server_id == server_id, Replica.wanted, Replica.phase.in_(_UNDER_WAY))
            .distinct()
        )
    )
    return bool(partners) and partner_id not in partners


def builds_ahead(game: Game, server_ids: Collection[str], for_operators: bool = False) -> dict[str, Ahead]:
    """By server id, for servers that download or verify something, as seen from `game`. Of other partners, only that
    one of their builds is under way: how many wait would tell when they release. Operators see which build it is. One
    query."""
    nearest = case((Replica.game_id == game.id, 0), (Game.partner_id == game.partner_id, 1), else_=2)
    rows = db.session.execute(
        select(Replica.server_id, Replica.phase, Game.id, Game.partner_id, Game.title, Build.number)
        .join(Game, Replica.game_id == Game.id)
        .join(Build, Replica.build_id == Build.id)
        .where(
            Replica.server_id.in_(server_ids),
            Replica.wanted,
            or_(Replica.phase.in_(_UNDER_WAY), and_(Replica.phase == "pending", Game.partner_id == game.partner_id)),
        )
        .order_by(nearest, Replica.since, Replica.id)
    ).all()
    queued = Counter(server_id for server_id, phase, *_ in rows if phase == "pending")
    found: dict[str, Ahead] = {}
    for server_id, phase, game_id, partner_id, title, number in rows:
        if phase in _UNDER_WAY and server_id not in found:
            named = for_operators or partner_id == game.partner_id
            other_game = title if named and game_id != game.id else None
            found[server_id] = Ahead(number if named else None, other_game, queued[server_id])
    return found
