"""All builds of a game."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.web.build_lines import PAGE, build_page, note
from app.web.game_head import head
from app.web.people import my_partner, require_sign_in

pages = Blueprint("builds", __name__)
pages.before_request(require_sign_in)


@pages.get("/games/<slug>/builds")
def page(slug: str) -> ResponseReturnValue:
    """Newest first, in pages."""
    game = my_partner().games.by_slug(slug)
    before = request.args.get("before", type=int)
    found = build_page(game, PAGE, before)
    return render_template(
        "game/builds.html",
        builds=found,
        note=note(found),
        newest=url_for("builds.page", slug=slug) if before else "",
        older=url_for("builds.page", slug=slug, before=found.older) if found.older else "",
        **head(game),
    )
