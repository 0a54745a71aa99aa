"""A game's page: sending a build, the builds, and their live state on the servers."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.data.extensions import htmx
from app.data.models.base import now
from app.data.models.game import MAX_VERSION_LABEL
from app.fleet.replicas import retry_now
from app.web.frame.current_user import my_actor, my_game, require_sign_in, require_write
from app.web.frame.formats import Moment
from app.web.frame.shown_commands import base_url, upload_lines
from app.web.games.game_header import header_context, live_game, live_game_parts
from app.web.lists.list_address import ListAddress
from app.web.live.streams import add_live_views
from app.web.servers.server_pages import requested_page

pages = Blueprint("game", __name__)
pages.before_request(require_sign_in)


@pages.get("/games/<slug>")
def page(slug: str) -> ResponseReturnValue:
    """The page. Its live parts are the same bytes that streams and polls get."""
    game = my_game(slug)
    return render_template(
        "games/game.html",
        **header_context(game),
        upload=upload_lines(base_url(), game.slug),
        max_version=MAX_VERSION_LABEL,
        query=ListAddress("").numbered_page(requested_page()).query,
        made_at=Moment(now()),
    )


add_live_views(pages, "/games/<slug>", lambda slug: live_game(my_game(slug)), poll="matrix")


@pages.post("/games/<slug>/builds/<int:number>/servers/<server_id>/retries")
def retry(slug: str, number: int, server_id: str) -> ResponseReturnValue:
    """Let a server retry a build now instead of after its back-off."""
    game = my_game(slug)
    require_write("Retrying")
    retry_now(game.id, number, server_id, my_actor())
    if htmx and not htmx.boosted:
        return Response(live_game_parts(game).fragment())
    return redirect(url_for("game.page", slug=slug, _anchor="fleet"), 303)
