"""Light, dark, or as the system has it. The choice itself is app/web/frame/theme.py's: it belongs to the browser."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.web.frame.current_user import my_partner, require_sign_in

pages = Blueprint("appearance", __name__)
pages.before_request(require_sign_in)


@pages.get("/settings/appearance")
def page() -> ResponseReturnValue:
    """The three choices."""
    my_partner()
    return render_template("settings/appearance.html")
