"""The counts on a game's tabs as live parts, for the pages whose own parts change with images and components."""

from __future__ import annotations

from flask import Flask

from app.images.gallery import asset_counts
from app.web.live.live_parts import Part, render_part


def tab_counts(app: Flask, game_id: str) -> tuple[Part, Part]:
    """Of all images, and of the components of the draft, whatever the filters of the page are."""
    counts = asset_counts(game_id)
    return _part(app, "images-count", counts.images), _part(app, "components-count", counts.components)


def _part(app: Flask, part_id: str, count: int) -> Part:
    return render_part(app, part_id, "games/_tab_count.html", id=part_id, count=count)
