"""The theme: light, dark or the system's. A cookie stores it, so that the server renders it and nothing flashes."""

from __future__ import annotations

import json

from flask import Blueprint, Response, abort, request, url_for
from flask.typing import ResponseReturnValue

from app.config.settings import settings
from app.data.extensions import htmx
from app.web.frame.current_user import local_address

pages = Blueprint("theme", __name__)

THEMES = ("auto", "light", "dark")
_COOKIE = "slipway_theme"
_YEAR = 365 * 24 * 3600


def chosen_theme() -> str:
    """The theme of this browser."""
    value = request.cookies.get(_COOKIE, "auto")
    return value if value in THEMES else "auto"


@pages.post("/theme")
def choose() -> ResponseReturnValue:
    """Store the theme. With the script the page changes in place; without it the page is loaded again."""
    choice = request.form.get("theme", "")
    if choice not in THEMES:
        abort(400, "The theme is auto, light or dark.")
    if htmx and not htmx.boosted:
        response = Response(status=204, headers={"HX-Trigger": json.dumps({"theme": choice})})
    else:
        target = local_address(request.form.get("next"), url_for("games.index"))
        response = Response(status=303, headers={"Location": target})
    response.set_cookie(_COOKIE, choice, max_age=_YEAR, httponly=True, samesite="Lax", secure=settings().https)
    return response
