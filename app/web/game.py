"""A game's page: sending a build, its builds, and where they are on the servers, live."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import budgets
from app.config import settings
from app.database import release
from app.extensions import htmx
from app.fleet.replicas import retry_now
from app.models import Game, now
from app.refusals import NotFound
from app.web.formats import Moment, limit
from app.web.live import Rendered, live_parts
from app.web.people import me, my_partner, require_sign_in, require_write
from app.web.terminal import base_url, upload_lines

pages = Blueprint("game", __name__)
pages.before_request(require_sign_in)


@pages.get("/games/<slug>")
def page(slug: str) -> ResponseReturnValue:
    """The whole page; its live parts are the same bytes that streams and polls get."""
    game = my_partner().games.by_slug(slug)
    return render_template(
        "game/page.html",
        game=game,
        live=_live(game),
        packed=limit(settings().max_archive_bytes),
        upload=upload_lines(base_url(), game.slug),
        made_at=Moment(now()),
    )


@pages.get("/games/<slug>/matrix")
def matrix(slug: str) -> ResponseReturnValue:
    """The live parts as a fragment, for pages without a stream. 304 when nothing changed."""
    found = _live(my_partner().games.by_slug(slug))
    if request.headers.get("If-None-Match") == found.etag:
        return Response(status=304, headers={"ETag": found.etag})
    return Response(found.fragment(), headers={"ETag": found.etag})


@pages.get("/games/<slug>/live")
def live(slug: str) -> ResponseReturnValue:
    """The live parts as server-sent events. 503 when all streams are taken: the page polls instead."""
    game_id, may_write = my_partner().games.by_slug(slug).id, me().may_write
    seen = request.headers.get("Last-Event-ID") or request.args.get("seen")
    release()
    budgets.streams.take()
    try:
        body = live_parts().stream(game_id, may_write, seen)
        response = Response(body, mimetype="text/event-stream")
    except BaseException:
        budgets.streams.give_back()
        raise
    # Not in the generator: one that was never begun runs no `finally`.
    response.call_on_close(budgets.streams.give_back)
    response.headers.update({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    return response


@pages.post("/games/<slug>/builds/<int:number>/servers/<server_id>/retries")
def retry(slug: str, number: int, server_id: str) -> ResponseReturnValue:
    """Have a server try a build again now, without waiting for its back-off."""
    game = my_partner().games.by_slug(slug)
    require_write("Retrying")
    retry_now(game.id, number, server_id)
    if htmx and not htmx.boosted:
        return Response(_live(game).fragment())
    return redirect(url_for("game.page", slug=slug, _anchor="fleet"), 303)


def _live(game: Game) -> Rendered:
    game_id, may_write = game.id, me().may_write
    release()
    found = live_parts().get(game_id, may_write)
    if found is None:
        raise NotFound(f"No game with slug '{game.slug}'")
    return found
