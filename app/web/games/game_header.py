"""What every tab of a game shows above its own: the state of its releases, and what it still misses."""

from __future__ import annotations

import re
from typing import Any

from app.catalog.game_metadata import missing
from app.config.settings import settings
from app.data.database import free_connection
from app.data.models.game import Game
from app.images.gallery import asset_counts
from app.images.game_pictures import covers_of
from app.refusals import NotFound
from app.web.frame.current_user import me
from app.web.frame.formats import format_limit
from app.web.frame.image_tags import picture
from app.web.games.game_form import GameForm
from app.web.games.live_game import GameSubject
from app.web.live.live_parts import RenderedParts, live_parts

COVER_BOX = (342, 160)


def header_context(game: Game) -> dict[str, Any]:
    """For templates that extend games/game_layout.html. The request's database connection is given back."""
    misses = missing(game)
    counts, cover = asset_counts(game.id), covers_of([game.id]).get(game.id)
    labels = [GameForm()[name].label.text.lower() for name in misses]
    most = settings().max_archive_bytes
    return {
        "game": game,
        "misses": join_words(labels),
        "counts": counts,
        "cover": picture(cover, *COVER_BOX) if cover else None,
        "outside_cover": external_address(game.thumbnail),
        "live": live_game_parts(game),
        "most": most,
        "packed": format_limit(most),
    }


def external_address(address: str | None) -> str:
    """The address if it leads to another host, to be linked to and never loaded; else ""."""
    return address if address and re.match("https?://", address) else ""


def live_game_parts(game: Game) -> RenderedParts:
    """The live parts of a game as its reader may see them. Raises NotFound when it was deleted a moment ago."""
    game_id, may_write = game.id, me().may_write
    free_connection()
    found = live_parts().of(GameSubject(game_id, may_write))
    if found is None:
        raise NotFound(f"No game with slug '{game.slug}'")
    return found


def join_words(words: list[str]) -> str:
    """`launcher, tags and description`."""
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1] if words else "") if part)
