"""A partner's largest games with their covers, for operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.data.models.partner import Partner
from app.images.game_pictures import covers_of
from app.images.shown_images import ShownImage
from app.uploads.storage_usage import GameUsage, usage_by_game
from app.web.frame.formats import counted, format_size
from app.web.frame.image_tags import Picture, game_thumbnail
from app.web.settings.quota_page import MAX_SHOWN_GAMES


@dataclass(frozen=True)
class LargestGames:
    """`more`: how many smaller ones there are, in words, or ""."""

    lines: Sequence[UsageLine]
    more: str


@dataclass(frozen=True)
class UsageLine:
    """Storage used by one game."""

    cover: Picture | None
    title: str
    deleted: bool
    builds: str
    size: str


def largest_games(partner: Partner) -> LargestGames:
    """By the size of their builds."""
    games = usage_by_game(partner)
    shown, more = games[:MAX_SHOWN_GAMES], len(games) - MAX_SHOWN_GAMES
    covers = covers_of([game.game_id for game in shown])
    lines = [_line(game, covers.get(game.game_id)) for game in shown]
    return LargestGames(lines, counted(more, "smaller game") if more > 0 else "")


def _line(game: GameUsage, cover: ShownImage | None) -> UsageLine:
    return UsageLine(
        cover=game_thumbnail(cover),
        title=game.title,
        deleted=game.deleted,
        builds=counted(game.builds, "build"),
        size=format_size(game.size),
    )
