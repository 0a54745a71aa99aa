"""The header that all tabs of a game share: its live state, cover and missing fields."""

from __future__ import annotations

import re
from typing import Any

from app.catalog.game_metadata import missing
from app.config.settings import settings
from app.data.models.game import Game
from app.images.gallery import asset_counts
from app.images.game_pictures import covers_of
from app.web.frame.current_user import me
from app.web.frame.formats import format_limit
from app.web.frame.image_tags import picture
from app.web.games.game_form import GameForm
from app.web.games.live_game import GameSubject
from app.web.live.live_parts import RenderedParts
from app.web.live.streams import current_parts
from app.web.servers.server_pages import requested_page

COVER_BOX = (342, 160)


def header_context(game: Game) -> dict[str, Any]:
    """The context of templates that extend games/game_layout.html. Frees the request's database connection."""
    missing_fields = missing(game)
    counts, cover = asset_counts(game.id), covers_of([game.id]).get(game.id)
    labels = [GameForm()[name].label.text.lower() for name in missing_fields]
    max_bytes = settings().max_archive_bytes
    return {
        "game": game,
        "missing": join_words(labels),
        "counts": counts,
        "cover": picture(cover, *COVER_BOX) if cover else None,
        "external_cover": external_address(game.thumbnail),
        "live": live_game_parts(game),
        "max_bytes": max_bytes,
        "packed": format_limit(max_bytes),
    }


def external_address(address: str | None) -> str:
    """The address if it is on another host, else "". Pages link to it and never load it."""
    return address if address and re.match("https?://", address) else ""


def live_game_parts(game: Game) -> RenderedParts:
    """The live parts of a game for the role of this request's member. Raises NotFound if it was deleted meanwhile."""
    return current_parts(live_game(game))


def live_game(game: Game) -> GameSubject:
    """The live content of a game's page for this request: the role of its member, and the page of servers in its
    address."""
    return GameSubject(game.id, me().may_write, requested_page())


def join_words(words: list[str]) -> str:
    """`launcher, tags and description`."""
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1] if words else "") if part)
