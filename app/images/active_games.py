"""Checks, within a transaction, that a game is not deleted."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.data.models.game import Game
from app.refusals import GameNotFound


def require_active_game(session: Session, game_id: str) -> Game:
    """The game. Raises GameNotFound if it was deleted meanwhile."""
    game = session.get(Game, game_id)
    if game is None or game.deleted_at is not None:
        raise GameNotFound("The game was deleted meanwhile. Nothing was kept.")
    return game
