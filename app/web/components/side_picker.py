"""Addresses of the picker of images for the sides of a component."""

from __future__ import annotations

from typing import Any

from flask import url_for

from app.components.component_views import ShownComponent
from app.components.sides import offered_sides
from app.web.components.board_filters import board_url
from app.web.components.component_words import side_name
from app.web.frame.toasts import flash_with_question


def side_picker_url(slug: str, component_id: str, side: str) -> str:
    """The picker of the image of one side. It returns to the board, with its filters, at the component."""
    query: dict[str, Any] = {"for": "side", "component": component_id, "side": side}
    return url_for("image_picker.page", slug=slug, back=board_url(slug, component_id), **query)


def flash_first_side(slug: str, component: ShownComponent, message: str) -> None:
    """Show `message` with a link that chooses the image of the first side. `component` has at least one side."""
    side = offered_sides(component)[0]
    flash_with_question(message, f"Choose image of {side_name(side)}", side_picker_url(slug, component.id, side))
