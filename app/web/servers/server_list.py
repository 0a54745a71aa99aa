"""The partner's list of servers: the state of the partner's released builds on each. Live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from flask import Blueprint, Flask, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.data.models.base import now
from app.fleet.overviews.partner_overview import PartnerServer, partner_overview
from app.fleet.overviews.partner_problems import problems_on
from app.fleet.overviews.server_totals import cached_live_builds
from app.topics.names import partner_topic
from app.web.builds.build_words import Count
from app.web.frame.current_user import me, my_partner, require_sign_in
from app.web.frame.formats import Moment, Phrase, counted, format_rate, format_size
from app.web.lists.list_address import ActiveFilter, ListAddress, SortHead, order_words
from app.web.lists.numbered_pages import NumberedPage
from app.web.live.live_parts import RenderedParts, render_part
from app.web.live.sparkline import Sparkline, sparkline
from app.web.live.streams import add_live_views, current_parts
from app.web.servers import server_words
from app.web.servers.problem_banners import banners_part
from app.web.servers.server_filters import (
    StateFilters,
    requested_filter,
    requested_servers,
    server_filters,
    state_links,
)
from app.web.servers.server_pages import server_page

pages = Blueprint("servers", __name__)
pages.before_request(require_sign_in)

PATH = "/servers"
# Filters by state: key in the address -> (label, states). Each state has one.
STATE_FILTERS: StateFilters = {
    "": ("All", frozenset()),
    "failing": ("Failing", frozenset({"failed", "retrying"})),
    "no-contact": ("No contact", frozenset({"no_contact"})),
    "not-started": ("Not started yet", frozenset({"not_started"})),
    "arriving": ("Arriving", frozenset({"verifying", "downloading", "queued"})),
    "up-to-date": ("Up to date", frozenset({"up_to_date", "nothing"})),
}
# Of PARTNER_ORDERS (app/fleet/overviews/partner_overview.py).
SERVER_SORTS = {
    "-state": "Worst first",
    "state": "Worst last",
    "name": "By name, A to Z",
    "-name": "By name, Z to A",
    "-reported": "Latest report first",
    "reported": "Oldest report first",
    "-cached": "Most cached first",
    "cached": "Fewest cached first",
    "-fetch": "Most to fetch first",
    "fetch": "Least to fetch first",
    "-rate": "Fastest first",
    "rate": "Slowest first",
}


@dataclass(frozen=True)
class Row:
    """One server. `fill`: cached part of the released builds, in percent. "" stands for an unknown value."""

    id: str
    region: str
    state: str
    icon: str
    words: Phrase
    failing: server_words.FailingBuild | None
    reported: Phrase
    cached: str
    fill: int
    to_fetch: str
    last_hour: Sparkline
    now: str


@dataclass(frozen=True)
class View:
    """The live values of the page."""

    heading: str
    counts: Sequence[Count]
    rows: Sequence[Row]
    page: NumberedPage
    address: ListAddress
    heads: Mapping[str, SortHead]
    filters: Sequence[ActiveFilter]


@dataclass(frozen=True)
class PartnerSubject:
    """The live parts of the list at an address. All members of a partner see the same."""

    gone: ClassVar[str] = "This partner no longer exists."

    partner_id: str
    address: ListAddress

    @property
    def topic(self) -> str:
        return partner_topic(self.partner_id)

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        at = now()
        overview = partner_overview(self.partner_id, requested_filter(self.address, STATE_FILTERS))
        order = order_words(self.address.value("sort"), SERVER_SORTS)
        view = View(
            heading=counted(len(overview.servers), "server"),
            counts=server_words.partner_counts(overview.counts),
            rows=[_row(server) for server in overview.shown],
            page=server_page(overview.matching, order, self.address),
            address=self.address,
            heads=self.address.heads(SERVER_SORTS),
            filters=server_filters(self.address, STATE_FILTERS),
        )
        segments = state_links(self.address, STATE_FILTERS, overview.counts)
        rows = tuple(
            render_part(app, f"server-{row.id}", "servers/_server_row.html", row=True, server=row) for row in view.rows
        )
        return RenderedParts(
            title=server_words.tab_title("Servers", overview.counts),
            parts=(
                render_part(app, "servers-segments", "servers/_server_segments.html", segments=segments),
                banners_part(app, problems_on(overview.servers)),
                render_part(app, "servers-head", "servers/_server_head.html", view=view),
                render_part(app, "servers-table", "servers/_server_table.html", view=view, rows=rows),
            ),
            rows=rows,
            version=version,
            changes_at=server_words.next_change_at((server.reported_at for server in overview.servers), at),
        )


@pages.get("/servers")
def index() -> ResponseReturnValue:
    """The page. Operators are redirected to theirs."""
    if me().is_operator:
        return redirect(url_for("operator_servers.index"))
    subject = _requested_list()
    live = current_parts(subject)
    return render_template(
        "servers/server_list.html",
        live=live,
        address=subject.address,
        filters=server_filters(subject.address, STATE_FILTERS),
        sorts=SERVER_SORTS,
        made_at=Moment(now()),
    )


def _requested_list() -> PartnerSubject:
    return PartnerSubject(my_partner().id, requested_servers(PATH, SERVER_SORTS, STATE_FILTERS))


# Not below /servers, where it would be the id of a server.
add_live_views(pages, "/fleet", _requested_list)


def _row(server: PartnerServer) -> Row:
    contact, silent = server.contact, server_words.minutes_without_contact(server.reported_at, server.contact, now())
    return Row(
        id=server.id,
        region=server.region,
        state=server.state,
        icon=server_words.STATE_ICONS[server.state],
        words=server_words.partner_state(server),
        failing=server_words.FailingBuild.of(server.failure) if server.failure else None,
        reported=(Moment(server.reported_at, "moment"),) if server.reported_at else ("Never",),
        cached=server_words.cached_words(server),
        fill=(cached_live_builds(server) or 0) * 100 // (server.tally.builds or 1),
        to_fetch=format_size(server.tally.bytes_to_fetch) if contact else "",
        last_hour=sparkline(server.last_hour, silent),
        now=format_rate(server.tally.bytes_per_second) if contact else "",
    )
