"""Games for lists and pages that are measured."""

from __future__ import annotations

from app.data.models.game import Game


def measured_game(partner_id: str, number: int) -> Game:
    """A new game of this partner, of the size that games usually have: `game-N`."""
    return Game(
        partner_id=partner_id,
        slug=f"game-{number}",
        title=f"Game {number}",
        developer="Bench",
        description="Measured. " * 20,
        tags=["Visual Novel", "Mystery"],
        launcher="game.sh",
        renpy_dir="Bench-1",
    )
