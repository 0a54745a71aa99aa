"""Capacity at a glance: room on the servers' disks, and what was transferred per hour and per day."""

from __future__ import annotations

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue

from app.data.models.base import now
from app.fleet.history.transfer_hours import transfer_history
from app.fleet.overviews.fleet_overview import fleet_overview
from app.fleet.overviews.server_filters import ServerFilter
from app.uploads.storage_totals import totals
from app.web.charts.transfer_charts import days_chart, hours_chart
from app.web.frame.formats import Moment
from app.web.operator.attention_items import capacity_figures
from app.web.operator.disk_chart import disk_chart
from app.web.operator.operator_access import require_operator

pages = Blueprint("operator_capacity", __name__)
pages.before_request(require_operator)


@pages.get("/operator/capacity")
def page() -> ResponseReturnValue:
    """The page."""
    overview, history, stored = fleet_overview(ServerFilter(page=1)), transfer_history(), totals()
    return render_template(
        "operator/capacity.html",
        figures=capacity_figures(overview, stored.builds_bytes + stored.packs_bytes),
        disks=disk_chart(overview.servers, lambda server_id: url_for("operator_server.page", server_id=server_id)),
        hours=hours_chart(history.hours),
        days=days_chart(history.days),
        made_at=Moment(now()),
    )
