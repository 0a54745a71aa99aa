"""The operator's list of all servers, worst first, with the details of one below. Live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from flask import Blueprint, Flask, Response, render_template, request
from flask.typing import ResponseReturnValue

from app.data.database import free_connection
from app.data.models.base import now
from app.fleet.overviews.fleet_overview import FleetOverview, FleetServer, fleet_overview
from app.topics.names import FLEET_TOPIC
from app.web.builds.build_words import Count
from app.web.frame.formats import Moment, Phrase, format_part, format_rate, format_size
from app.web.lists.list_address import ActiveFilter, ListAddress, SortHead, order_words
from app.web.lists.numbered_pages import NumberedPage
from app.web.live.live_parts import RenderedParts, render_part
from app.web.live.sparkline import Sparkline, sparkline
from app.web.live.streams import current_parts, poll_response, stream_response
from app.web.operator.attention_items import attention_of, current_platform
from app.web.operator.operator_access import require_operator
from app.web.operator.server_detail import detail_parts
from app.web.servers import server_words
from app.web.servers.server_filters import (
    StateFilters,
    requested_filter,
    requested_servers,
    server_filters,
    state_links,
)
from app.web.servers.server_pages import server_page

pages = Blueprint("operator_servers", __name__)
pages.before_request(require_operator)

PATH = "/operator/servers"
WARN_FROM, BAD_FROM = 90, 95  # percent of a disk
# Filters by state: key in the address -> (label, states). Each state has one.
STATE_FILTERS: StateFilters = {
    "": ("All", frozenset()),
    "errors": ("With errors", frozenset({"failed", "conflict", "retrying", "unwell"})),
    "no-contact": ("No contact", frozenset({"no_contact"})),
    "not-started": ("Waiting for their agents", frozenset({"not_started"})),
    "paused": ("Paused", frozenset({"paused"})),
    "healthy": ("Healthy", frozenset({"healthy"})),
}
# Of FLEET_ORDERS (app/fleet/overviews/fleet_overview.py).
FLEET_SORTS = {
    "-state": "Worst first",
    "state": "Worst last",
    "name": "By name, A to Z",
    "-name": "By name, Z to A",
    "-reported": "Latest report first",
    "reported": "Oldest report first",
    "-disk": "Fullest disk first",
    "disk": "Emptiest disk first",
    "-cached": "Most cached first",
    "cached": "Fewest cached first",
    "-sessions": "Most sessions first",
    "sessions": "Fewest sessions first",
    "-rate": "Fastest first",
    "rate": "Slowest first",
}


@dataclass(frozen=True)
class Row:
    """One server. "" stands for an unknown value."""

    id: str
    region: str
    url: str
    page_url: str
    selected: bool
    state: str
    icon: str
    words: Phrase
    tone: str  # bad, strong or ""
    reported: Phrase
    disk_percent: int | None
    disk: str
    cached: str
    sessions: str
    last_hour: Sparkline
    now: str
    quiet: bool
    agent: str


@dataclass(frozen=True)
class View:
    counts: Sequence[Count]
    figures: Sequence[server_words.Figure]
    rows: Sequence[Row]
    selected: FleetServer | None
    page: NumberedPage
    address: ListAddress
    heads: Mapping[str, SortHead]
    filters: Sequence[ActiveFilter]


@dataclass(frozen=True)
class FleetSubject:
    """The live parts of the list at an address. `selected`: the server with details below, or None. All operators see
    the same."""

    gone: ClassVar[str] = "There are no servers to show."

    selected: str | None
    address: ListAddress

    @property
    def topic(self) -> str:
        return FLEET_TOPIC

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        platform = current_platform(app)  # first: it may wait
        at, overview = now(), fleet_overview(requested_filter(self.address, STATE_FILTERS))
        attention = attention_of(overview, platform.value)
        selected = next((server for server in overview.servers if server.id == self.selected), None)
        rows_view = [_row(server, selected, self.address) for server in overview.shown]
        order = order_words(self.address.value("sort"), FLEET_SORTS)
        view = View(
            server_words.fleet_counts(overview.servers, overview.counts),
            _figures(overview),
            rows_view,
            selected,
            server_page(overview.matching, order, self.address),
            self.address,
            self.address.heads(FLEET_SORTS),
            server_filters(self.address, STATE_FILTERS),
        )
        segments = state_links(self.address, STATE_FILTERS, overview.counts)
        rows = tuple(
            render_part(app, f"server-{row.id}", "operator/servers/_server_row.html", row=True, server=row)
            for row in rows_view
        )
        return RenderedParts(
            title=server_words.tab_title("Servers", overview.counts),
            parts=(
                render_part(app, "servers-segments", "servers/_server_segments.html", segments=segments),
                render_part(app, "attention-link", "operator/attention/_link.html", count=attention.count),
                render_part(app, "fleet-counts", "operator/servers/_fleet_counts.html", view=view),
                render_part(app, "fleet-figures", "operator/servers/_figures.html", view=view),
                *(detail_parts(app, selected, self.address.url()) if selected else ()),
                render_part(app, "servers-table", "operator/servers/_servers_table.html", view=view, rows=rows),
            ),
            rows=rows,
            version=version,
            changes_at=min(
                server_words.next_change_at((server.reported_at for server in overview.servers), at),
                platform.changes_at,
            ),
        )


@pages.get("/operator/servers")
def index() -> ResponseReturnValue:
    """The list. `?server=` selects a server; the default is the worst. The selection does not change while the page is
    open, so that no button changes its target under the pointer."""
    address = requested_servers(PATH, FLEET_SORTS, STATE_FILTERS)
    overview = fleet_overview(requested_filter(address, STATE_FILTERS))
    free_connection()
    chosen = request.args.get("server")
    selected = next((server for server in overview.servers if server.id == chosen), None) or next(
        (server for server in overview.shown if server.state != "healthy"), None
    )
    live = current_parts(FleetSubject(selected.id if selected else None, address))
    return render_template(
        "operator/servers.html",
        live=live,
        selected=selected,
        address=address,
        filters=server_filters(address, STATE_FILTERS),
        sorts=FLEET_SORTS,
        made_at=Moment(now()),
    )


@pages.get("/operator/fleet/parts", defaults={"server_id": None})
@pages.get("/operator/fleet/<server_id>/parts")
def parts(server_id: str | None) -> Response:
    """The live parts for pages that poll."""
    return poll_response(FleetSubject(server_id, requested_servers(PATH, FLEET_SORTS, STATE_FILTERS)))


@pages.get("/operator/fleet/live", defaults={"server_id": None})
@pages.get("/operator/fleet/<server_id>/live")
def live(server_id: str | None) -> Response:
    """The live parts as a stream."""
    return stream_response(FleetSubject(server_id, requested_servers(PATH, FLEET_SORTS, STATE_FILTERS)))


def _row(server: FleetServer, selected: FleetServer | None, address: ListAddress) -> Row:
    silent = server_words.minutes_without_contact(server.reported_at, server.contact, now())
    return Row(
        id=server.id,
        region=server.region,
        # Not url_for, which needs a request: all operators share this HTML.
        url=address.with_values(server=server.id).url("opened"),
        page_url=f"/operator/servers/{server.id}",
        selected=selected is not None and selected.id == server.id,
        state=server.state,
        icon=server_words.STATE_ICONS[server.state],
        words=server_words.fleet_state(server),
        tone={"failed": "bad", "conflict": "bad", "healthy": ""}.get(server.state, "strong"),
        reported=(Moment(server.reported_at, "moment"),) if server.reported_at else ("Never",),
        disk_percent=server.disk_percent,
        disk=format_part(server.disk_used, server.disk_total, 2) if server.disk_total else "",
        cached=server_words.cached_words(server),
        sessions=f"{server.sessions:,}" if server.contact else "",
        last_hour=sparkline(server.last_hour, silent),
        now=format_rate(server.bytes_per_second) if server.contact else "",
        quiet=server.bytes_per_second == 0,
        agent=server.agent_version or "",
    )


def _figures(overview: FleetOverview) -> list[server_words.Figure]:
    used, _, total = format_part(overview.disk_used, overview.disk_total).partition(" ")
    return [
        server_words.figure("Sending now", format_rate(overview.bytes_per_second)),
        server_words.figure("Still to send", format_size(overview.bytes_to_send)),
        (server_words.LIVE_BUILDS, f"{overview.cached:,}", f"of {overview.wanted:,}"),
        ("Disk in use", used, total),
        ("Sessions", f"{overview.sessions:,}", ""),
    ]
