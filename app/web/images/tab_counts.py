"""The counts on a game's tabs as live parts, for the pages whose own parts change with images and components."""

from __future__ import annotations

from flask import Flask

from app.web.live.live_parts import Part, render_part


def tab_counts(app: Flask, images: int, components: int) -> tuple[Part, Part]:
    """Of all images, and of the components of the draft, whatever the filters of the page are."""
    return _part(app, "images-count", images), _part(app, "components-count", components)


def _part(app: Flask, part_id: str, count: int) -> Part:
    return render_part(app, part_id, "images/_tab_count.html", id=part_id, count=count)
