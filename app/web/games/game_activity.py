"""What happened to one game: charts of its transfers and releases, and its audit log."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue

from app.accounts.audit.audit_history import history
from app.data.models.base import now
from app.data.models.game import Game
from app.fleet.history.rollout_times import rollout_times
from app.fleet.history.transfer_hours import transfer_history
from app.web.audit.audit_filters import RELEASE_KINDS, KindFilters, history_filter, log_context, requested_log
from app.web.audit.audit_links import member_links
from app.web.audit.audit_words import AuditLine, action_words
from app.web.charts.bar_chart import BarChart
from app.web.charts.column_chart import ColumnChart
from app.web.charts.rollout_chart import rollout_chart
from app.web.charts.transfer_charts import days_chart
from app.web.frame.current_user import my_game, require_sign_in
from app.web.games.game_header import header_context

pages = Blueprint("game_activity", __name__)
pages.before_request(require_sign_in)

KINDS: KindFilters = {
    "": ("All", ""),
    "builds": ("Builds", "build."),
    **RELEASE_KINDS,
    "uploads": ("Uploads", "upload."),
    "details": ("Details", "game."),
    "images": ("Images", "asset."),
    "components": ("Components", "component"),
}


@dataclass(frozen=True)
class GameCharts:
    """The charts above the first page of entries. None: nothing to draw yet."""

    transferred: ColumnChart | None
    rollouts: BarChart | None


@pages.get("/games/<slug>/activity")
def page(slug: str) -> ResponseReturnValue:
    """One page of the log. Search, filters, order and page are in the address."""
    game = my_game(slug)
    address = requested_log(url_for("game_activity.page", slug=slug), KINDS)
    found = history(history_filter(address, KINDS, game=game), action_words)
    links = member_links(found.entries)
    return render_template(
        "games/game_activity.html",
        entries=[AuditLine.of(entry, address, links) for entry in found.entries],
        charts=None if address.query else _charts(game),
        **log_context(address, KINDS, found),
        **header_context(game),
    )


def _charts(game: Game) -> GameCharts:
    return GameCharts(days_chart(transfer_history(game.id).days), rollout_chart(rollout_times(game), now()))
