"""The gallery's filters in addresses. They are kept in the addresses of its actions, so that each returns to the same
list."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from app.data.models.game import Game

_MAX_LENGTHS = {"used": 8, "q": 256, "app": 40, "sort": 16, "after": 1100}


def requested_filters() -> dict[str, Any]:
    """The filters in the address of this request, without empty values; by name, for `url_for`."""
    values = {name: request.args.get(name, "").strip()[:longest] for name, longest in _MAX_LENGTHS.items()}
    return {name: value for name, value in values.items() if value}


def gallery_url(game: Game, asset_id: str = "") -> str:
    """The gallery with the filters of this request, at one image."""
    anchor = f"asset-{asset_id}" if asset_id else None
    return url_for("assets.page", slug=game.slug, _anchor=anchor, **requested_filters())
