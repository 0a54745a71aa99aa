"""One server as a partner sees it: why it is behind, and the partner's builds on it. Read-only and live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from flask import Blueprint, Flask, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.data.models.base import now
from app.fleet.overviews.fleet_overview import no_server
from app.fleet.overviews.partner_overview import PartnerServer, find_partner_server
from app.fleet.server_builds import ServerBuild, server_builds
from app.fleet.waiting_builds import is_busy_with_others
from app.images.game_pictures import covers_of
from app.images.shown_images import ShownImage
from app.topics.names import partner_topic
from app.web.frame.current_user import me, my_partner, require_sign_in
from app.web.frame.formats import Fact, Moment, format_rate, format_size, plain_text
from app.web.live.live_parts import RenderedParts, render_part
from app.web.live.sparkline import Sparkline, sparkline
from app.web.live.streams import add_live_views, current_parts
from app.web.servers import server_words
from app.web.servers.held_builds import BuildLine, build_line
from app.web.servers.server_notices import Notice, partner_notices

pages = Blueprint("server", __name__)
pages.before_request(require_sign_in)

MAX_BUILDS = 200


@dataclass(frozen=True)
class View:
    """The live values of the page. `note`: that not all builds are listed, or ""."""

    id: str
    chips: Sequence[server_words.StateChip]
    notices: Sequence[Notice]
    lines: Sequence[BuildLine]
    note: str
    facts: Sequence[Fact]
    last_hour: Sparkline
    now: str


@dataclass(frozen=True)
class PartnerServerSubject:
    """The live parts of the page. All members of a partner see the same."""

    partner_id: str
    server_id: str

    @property
    def topic(self) -> str:
        return partner_topic(self.partner_id)

    @property
    def gone(self) -> str:
        return no_server(self.server_id)

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        at, server = now(), find_partner_server(self.partner_id, self.server_id)
        if server is None:
            return None
        view = _view(server, self.partner_id)
        return RenderedParts(
            title=f"{server.id}: {plain_text(view.chips[0].words)} · Slipway",
            parts=(
                render_part(app, "server-state", "servers/_server_state.html", chips=view.chips),
                render_part(app, "server-builds", "servers/_server_builds.html", view=view),
                render_part(app, "server-facts", "servers/_server_facts.html", view=view),
            ),
            rows=(),
            version=version,
            changes_at=server_words.next_change_at((server.reported_at,), at),
        )


@pages.get("/servers/<server_id>")
def page(server_id: str) -> ResponseReturnValue:
    """The page. Operators are redirected to theirs."""
    if me().is_operator:
        return redirect(url_for("operator_server.page", server_id=server_id))
    live = current_parts(_subject(server_id))
    return render_template("servers/server.html", server_id=server_id, live=live, made_at=Moment(now()))


def _subject(server_id: str) -> PartnerServerSubject:
    return PartnerServerSubject(my_partner().id, server_id)


add_live_views(pages, "/servers/<server_id>", _subject)


def _view(server: PartnerServer, partner_id: str) -> View:
    held = server_builds(server.id, MAX_BUILDS, partner_id)
    covers = covers_of({each.game_id for each in held.shown})
    silent = server_words.minutes_without_contact(server.reported_at, server.contact, now())
    return View(
        id=server.id,
        chips=server_words.partner_chips(server),
        notices=partner_notices(server, is_busy_with_others(server.id, partner_id)),
        lines=[_line(server, each, covers.get(each.game_id)) for each in held.shown],
        note=f"{len(held.shown):,} of {held.count:,}, worst first" if held.count > len(held.shown) else "",
        facts=_facts(server),
        last_hour=sparkline(server.last_hour, silent),
        now=format_rate(server.bytes_per_second) if server.contact else "",
    )


def _line(server: PartnerServer, held: ServerBuild, cover: ShownImage | None) -> BuildLine:
    # Not url_for, which needs a request: all members of the partner share this HTML.
    url = f"/games/{quote(held.slug)}/builds/{held.build}/servers/{server.id}"
    return build_line(held, cover, url, "", server.paused)


def _facts(server: PartnerServer) -> list[Fact]:
    """(label, value). Without contact only the last report is known."""
    to_fetch = format_size(server.tally.bytes_to_fetch) if server.contact else ""
    free = format_size(server.free_bytes) if server.free_bytes is not None else ""
    facts: list[Fact] = [("Region", server.region)] if server.region else []
    return [
        *facts,
        ("Last report", (Moment(server.reported_at, "moment"),) if server.reported_at else ("Never",)),
        (server_words.YOUR_LIVE_BUILDS, (server_words.cached_words(server) or "—",)),
        ("Still to fetch", (to_fetch or "—",)),
        ("Free space", (free or "—",)),
    ]
