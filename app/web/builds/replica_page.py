"""One build on one server: the page behind a cell of the matrix. Live."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from flask import Blueprint, Flask, render_template
from flask.typing import ResponseReturnValue

from app.catalog.game_lookup import game_with_live_build
from app.data.models.base import now
from app.fleet.replica_history import attempts_of_build
from app.fleet.rollout import replica_cell
from app.topics.names import game_topic
from app.web.builds.build_words import cell_words
from app.web.builds.replica_parts import replica_parts
from app.web.frame.current_user import me, my_game, require_sign_in
from app.web.frame.formats import Moment
from app.web.live.live_parts import RenderedParts
from app.web.live.streams import add_live_views, current_parts
from app.web.servers.server_words import next_change_at

pages = Blueprint("replica", __name__)
pages.before_request(require_sign_in)


@dataclass(frozen=True)
class ReplicaSubject:
    """The live parts of the page, for members that may retry a build or not."""

    game_id: str
    number: int
    server_id: str
    may_write: bool

    @property
    def topic(self) -> str:
        return game_topic(self.game_id)

    @property
    def gone(self) -> str:
        return f"Build {self.number} is not on {self.server_id}, nor on its way there."

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        at, game = now(), game_with_live_build(self.game_id)
        cell = replica_cell(game, self.number, self.server_id) if game else None
        if game is None or cell is None:
            return None
        address = f"/games/{quote(game.slug)}/builds/{self.number}/servers/{self.server_id}"
        attempts = attempts_of_build(game.id, self.number, self.server_id)
        retry_url = f"{address}/retries" if self.may_write else ""
        return RenderedParts(
            title=f"{cell_words(cell).word}: build {self.number} on {self.server_id} · Slipway",
            parts=replica_parts(app, game, cell, attempts, retry_url),
            rows=(),
            version=version,
            changes_at=next_change_at((cell.reported_at,), at),
        )


@pages.get("/games/<slug>/builds/<int:number>/servers/<server_id>")
def page(slug: str, number: int, server_id: str) -> ResponseReturnValue:
    """The state with its details, the attempts so far, and the button that retries."""
    game, subject = my_game(slug), _subject(slug, number, server_id)
    return render_template(
        "builds/replica/page.html",
        game=game,
        number=number,
        server_id=server_id,
        live=current_parts(subject),
        made_at=Moment(now()),
    )


def _subject(slug: str, number: int, server_id: str) -> ReplicaSubject:
    return ReplicaSubject(my_game(slug).id, number, server_id, me().may_write)


add_live_views(pages, "/games/<slug>/builds/<int:number>/servers/<server_id>", _subject)
