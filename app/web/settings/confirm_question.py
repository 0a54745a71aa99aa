"""Questions and small forms that open in a dialog, or as a page without the script."""

from __future__ import annotations

from typing import Any

from flask import render_template

from app.data.extensions import htmx


def render_question(template: str, *, back: str, area: str = "settings", **context: Any) -> str:
    """Render a question. A link with `hx-get` gets the content of a dialog; all other requests, and responses to forms,
    get the page. `back` is the URL of Cancel. `area` is the template folder of the layouts."""
    in_dialog = bool(htmx) and not htmx.boosted
    layout = f"{area}/in_dialog.html" if in_dialog else f"{area}/in_page.html"
    return render_template(template, layout=layout, back=back, **context)
