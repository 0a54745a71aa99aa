"""A game's components: the board of one revision, live."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.assets.revisions import draft_of, revision_of
from app.models import Game, now
from app.web.asked import asked_number
from app.web.board_view import PROBLEMS, SEGMENTS, BoardSubject
from app.web.formats import Moment
from app.web.game_head import head
from app.web.people import me, my_partner, require_sign_in
from app.web.streams import fragment, present, stream

pages = Blueprint("components", __name__)
pages.before_request(require_sign_in)

_GONE = "This game is not there any more."


@pages.get("/games/<slug>/components")
def page(slug: str) -> ResponseReturnValue:
    """The board; revision and filters are in the address."""
    game = my_partner().games.by_slug(slug)
    asked = _asked(game)
    found = head(game)
    query = urlencode(asked.query())
    return render_template(
        "components/page.html",
        **found,
        asked=asked,
        writes=me().may_write and not asked.number,
        problems=PROBLEMS,
        board=present(asked, _GONE),
        parts_url=url_for("components.parts", slug=slug) + (f"?{query}" if query else ""),
        live_url=url_for("components.live", slug=slug) + (f"?{query}" if query else ""),
        made_at=Moment(now()),
    )


@pages.get("/games/<slug>/components/parts")
def parts(slug: str) -> Response:
    """The live parts for pages that poll. 304 when nothing changed."""
    return fragment(_asked(my_partner().games.by_slug(slug)), _GONE)


@pages.get("/games/<slug>/components/live")
def live(slug: str) -> Response:
    """The live parts as a stream. 503 when all streams are taken: the page polls instead."""
    return stream(_asked(my_partner().games.by_slug(slug)))


def _asked(game: Game) -> BoardSubject:
    """Raises RevisionNotFound."""
    text, kind, problem, inside = (request.args.get(name, "").strip() for name in ("q", "kind", "problem", "in"))
    number = asked_number("revision") or 0
    if number:
        revision_of(game.id, number)
        draft = draft_of(game.id)
        number = 0 if number == (draft.number if draft else 1) else number
    return BoardSubject(
        game.id,
        me().may_write,
        number,
        text[:256],
        kind if kind in SEGMENTS else "",
        problem if problem in PROBLEMS else "",
        inside[:40],
    )
