"""The search of the command palette: a page with a form, and its results for the palette itself."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from app.web.frame.current_user import me, require_sign_in
from app.web.palette.results import find

pages = Blueprint("palette", __name__)
pages.before_request(require_sign_in)

MAX_TEXT_LENGTH = 100  # of what is searched for; the rest of a longer text is ignored


@pages.get("/search")
def page() -> ResponseReturnValue:
    """The page, for browsers without the script."""
    return _render("palette/search.html")


@pages.get("/search/results")
def results() -> ResponseReturnValue:
    """The options of the palette's combobox (js/frame/command-palette.js)."""
    return _render("palette/_options.html")


def _render(template: str) -> str:
    text = request.args.get("q", "")
    groups = find(me(), text[:MAX_TEXT_LENGTH])
    return render_template(template, text=text, groups=groups, count=sum(len(group.results) for group in groups))
