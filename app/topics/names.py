"""What of assets can be watched."""

from __future__ import annotations


def assets_topic(game_id: str) -> str:
    """A game's assets: confirmed, derived, deleted, used."""
    return f"assets:{game_id}"
