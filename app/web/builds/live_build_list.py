"""The live list of a game's builds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from flask import Flask

from app.catalog.build_filters import BuildFilter
from app.data.extensions import db
from app.data.models.game import Game
from app.topics.names import game_topic
from app.web.builds.build_rows import BUILD_SORTS, BUILDS_PER_PAGE, BuildLines, count_note, list_build_lines
from app.web.lists.list_address import ActiveFilter, ListAddress, quoted
from app.web.live.live_parts import GAME_GONE, RenderedParts, render_part

# Filters by status: key in the address -> label.
BUILD_FILTERS = {
    "": "All",
    "released": "Released",
    "unreleased": "Not released yet",
    "warnings": "With warnings",
}


@dataclass(frozen=True)
class BuildListSubject:
    """One page of a game's builds, for members that may write or not."""

    gone: ClassVar[str] = GAME_GONE

    game_id: str
    may_write: bool
    address: ListAddress

    @property
    def topic(self) -> str:
        return game_topic(self.game_id)

    @property
    def filters(self) -> list[ActiveFilter]:
        status = self.address.value("status")
        return self.address.active_filters(
            q=quoted(self.address.value("q")), status=BUILD_FILTERS[status] if status else ""
        )

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        game = db.session.get(Game, self.game_id)
        if game is None or game.deleted_at is not None:
            return None
        value = self.address.value
        wanted = BuildFilter(value("q"), value("status"), value("sort"), BUILDS_PER_PAGE, value("after") or None)
        return self._parts(app, version, game, list_build_lines(game, wanted))

    def _parts(self, app: Flask, version: int, game: Game, found: BuildLines) -> RenderedParts:
        shared: dict[str, Any] = {"slug": game.slug, "may_write": self.may_write, "here": self.address.url()}
        rows = tuple(
            render_part(app, f"b{line.number}", "builds/_build_row.html", row=True, build=line, **shared)
            for line in found.lines
        )
        segments = self.address.links("status", BUILD_FILTERS, found.counts)
        return RenderedParts(
            title=f"Builds: {game.title} · Slipway",
            parts=(
                render_part(app, "builds-segments", "builds/_build_segments.html", segments=segments),
                render_part(
                    app, "builds-count", "builds/_build_count.html", note=count_note(found, self.address.value("sort"))
                ),
                render_part(app, "builds-refused", "builds/_refused_builds.html", refused=found.refused, **shared),
                render_part(
                    app,
                    "builds-table",
                    "builds/_live_build_table.html",
                    rows=rows,
                    heads=self.address.heads(BUILD_SORTS),
                    filters=self.filters,
                    address=self.address,
                    links=self.address.page_links(found.next_cursor),
                    **shared,
                ),
            ),
            rows=rows,
            version=version,
        )
