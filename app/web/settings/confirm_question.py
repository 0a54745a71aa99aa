"""Questions before something is done: a page of its own, or the same in a dialog of the page that asks."""

from __future__ import annotations

from typing import Any

from flask import render_template

from app.data.extensions import htmx


def render_question(template: str, *, back: str, of: str = "settings", **context: Any) -> str:
    """Render a question. A link with `hx-get` gets the inside of a dialog; everybody else, and every answer to a form,
    the page, in the layout `of` its place. `back` is where Cancel leads."""
    in_dialog = bool(htmx) and not htmx.boosted
    layout = f"{of}/in_dialog.html" if in_dialog else f"{of}/in_page.html"
    return render_template(template, layout=layout, back=back, **context)
