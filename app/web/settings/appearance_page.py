"""The theme: light, dark, or the system's. app/web/frame/theme.py stores it in a cookie of the browser."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.web.frame.current_user import my_partner, require_sign_in

pages = Blueprint("appearance", __name__)
pages.before_request(require_sign_in)


@pages.get("/settings/appearance")
def page() -> ResponseReturnValue:
    """The page with the three themes."""
    my_partner()
    return render_template("settings/appearance.html")
