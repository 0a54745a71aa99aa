"""Dismissing rejected archives, which the lists of builds show until then."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.catalog.refused_archives import dismiss_refusals
from app.data.extensions import htmx
from app.web.frame.current_user import local_address, my_actor, my_game, require_sign_in, require_write
from app.web.games.game_header import live_game_parts

pages = Blueprint("refusals", __name__)
pages.before_request(require_sign_in)


@pages.post("/games/<slug>/refusals/<int:entry_id>/dismissals")
def dismiss(slug: str, entry_id: int) -> ResponseReturnValue:
    """Dismiss a refusal and the older ones for the same reason, or with `all` every older one. Answers with the live
    parts of the game's page, or with a redirect to `next`."""
    game = my_game(slug)
    require_write("Dismissing rejected archives")
    dismiss_refusals(game, entry_id, my_actor(), all_reasons=bool(request.form.get("all")))
    if htmx and not htmx.boosted:
        return Response(live_game_parts(game).fragment())
    otherwise = url_for("game.page", slug=slug, _anchor="builds")
    return redirect(local_address(request.form.get("next"), otherwise), 303)
