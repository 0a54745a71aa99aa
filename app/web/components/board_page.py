"""A game's components: the live board of one revision."""

from __future__ import annotations

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue

from app.components.revisions import draft_of, revision_of
from app.data.models.base import now
from app.data.models.game import Game
from app.web.components.board_filters import PROBLEMS, SORTS, requested_board
from app.web.components.board_view import BoardSubject
from app.web.frame.current_user import me, my_game, require_sign_in
from app.web.frame.formats import Moment
from app.web.games.game_header import header_context
from app.web.live.streams import add_live_views, current_parts

pages = Blueprint("components", __name__)
pages.before_request(require_sign_in)


@pages.get("/games/<slug>/components")
def page(slug: str) -> ResponseReturnValue:
    """The board. Revision and filters are in the address."""
    game = my_game(slug)
    subject = _requested_board(game)
    found = header_context(game)
    address = subject.address
    return render_template(
        "components/board.html",
        **found,
        address=address,
        kept=address.kept,
        filters=subject.filters,
        writes=me().may_write and not subject.number,
        problems=PROBLEMS,
        sorts=SORTS,
        board=current_parts(subject),
        parts_url=url_for("components.parts", slug=slug) + address.query,
        live_url=url_for("components.live", slug=slug) + address.query,
        made_at=Moment(now()),
    )


add_live_views(pages, "/games/<slug>/components", lambda slug: _requested_board(my_game(slug)))


def _requested_board(game: Game) -> BoardSubject:
    """The board of the address. Raises RevisionNotFound."""
    address = requested_board(game.slug)
    number = int(address.value("revision") or 0)
    if number:
        revision_of(game.id, number)
        draft = draft_of(game.id)
        if number == (draft.number if draft else 1):
            address = address.with_values(revision=None)
    return BoardSubject(game.id, me().may_write, address)
