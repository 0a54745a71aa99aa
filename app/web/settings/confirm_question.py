"""Questions and small forms that open in a dialog, or as a page without the script."""

from __future__ import annotations

from typing import Any

from flask import render_template

from app.web.frame.dialogs import in_dialog


def render_question(template: str, *, back: str, area: str = "settings", **context: Any) -> str:
    """Render a question. A link with `hx-get`, and a form in a dialog, get the content of the dialog; all other
    requests get the page. `back` is the URL of Cancel. `area` is the template folder of the layouts."""
    layout = f"{area}/in_dialog.html" if in_dialog() else f"{area}/in_page.html"
    return render_template(template, layout=layout, back=back, **context)
