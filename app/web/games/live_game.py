"""The live parts of a game's page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from flask import Flask

from app.topics.names import game_topic
from app.web.builds.build_words import CellWords
from app.web.games.game_view import GameView, RowView, ServerView, game_view
from app.web.live.cached_html import cached_html
from app.web.live.live_parts import GAME_GONE, Part, RenderedParts


@dataclass(frozen=True)
class GameSubject:
    """A game's page, for members that may write or not. `page`: of its servers, from 1."""

    gone: ClassVar[str] = GAME_GONE

    game_id: str
    may_write: bool
    page: int = 1

    @property
    def topic(self) -> str:
        return game_topic(self.game_id)

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        view = game_view(self.game_id, self.may_write, self.page)
        return render_game(app, view, version) if view else None


def render_game(app: Flask, view: GameView, version: int) -> RenderedParts:
    """Render the parts from a view, without request or database. Only `may_write` differs between readers."""
    environment = app.jinja_env

    def part(
        part_id: str, template: str, *, row: bool = False, inner: tuple[Part, ...] = (), **context: object
    ) -> Part:
        html = environment.get_template(template).render(view=view, inner=inner, **context).strip()
        return Part(part_id, html, row, inner)

    to_send = part("fleet-to-send", "games/rollout/_to_send.html", row=True)
    heads = (to_send, *(_head_cell(app, server) for server in view.servers))
    rows = (
        part("fleet-head", "games/rollout/_head.html", row=True, inner=heads),
        *(
            part(f"build-{row.number}", "games/rollout/_row.html", row=True, inner=_cells(app, view, row), row_view=row)
            for row in view.rows
        ),
    )
    counts = part("fleet-counts", "games/rollout/_counts.html")
    fleet = part("fleet", "games/rollout/_section.html", inner_rows=rows, counts=counts)
    return RenderedParts(
        title=view.tab_title,
        parts=(
            part("game-state", "games/_game_state.html"),
            part("game-action", "games/_game_action.html"),
            part("other-uploads", "builds/_other_uploads.html", uploads=view.uploads, title="Uploads by others"),
            part("builds", "builds/_latest_builds.html"),
            fleet,
        ),
        rows=(counts, *rows),
        version=version,
        changes_at=view.changes_at,
    )


def _head_cell(app: Flask, server: ServerView) -> Part:
    return Part(f"s-{server.id}", cached_html(app, "games/rollout/_head_cell.html", server=server), row=True)


def _cells(app: Flask, view: GameView, row: RowView) -> tuple[Part, ...]:
    """One build on the servers of the page."""

    def cell(server: ServerView, words: CellWords) -> Part:
        part_id = f"c{row.number}-{server.id}"
        html = cached_html(
            app,
            "games/rollout/_cell.html",
            id=part_id,
            url=f"/games/{view.slug}/builds/{row.number}/servers/{server.id}",
            number=row.number,
            server_id=server.id,
            region=server.region,
            cell=words,
            may_write=view.may_write,
        )
        return Part(part_id, html, row=True)

    return tuple(cell(server, words) for server, words in zip(view.servers, row.cells, strict=True))
