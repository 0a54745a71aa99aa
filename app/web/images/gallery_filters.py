"""The gallery's filters in addresses. They are kept in the addresses of its actions, so that each returns to the same
list."""

from __future__ import annotations

from flask import url_for

from app.data.models.game import Game
from app.web.lists.list_address import ListAddress, requested_list

USE_FILTERS = {"": None, "yes": True, "no": False}
SORTS = {"": "Newest first", "oldest": "Oldest first", "name": "By name", "largest": "Largest first"}


def requested_gallery(game: Game) -> ListAddress:
    """The gallery in the address of this request."""
    path = url_for("assets.page", slug=game.slug)
    return requested_list(path, "app", "after", orders=SORTS, used=USE_FILTERS)


def gallery_url(game: Game, asset_id: str = "") -> str:
    """The gallery with the filters of this request, at one image."""
    return requested_gallery(game).url(f"asset-{asset_id}" if asset_id else "")
