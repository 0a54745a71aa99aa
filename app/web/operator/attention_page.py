"""Everything that needs an operator's attention on one page, and actions on several servers at once. Live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.data.models.base import now
from app.fleet.bulk_actions import BulkAction, BulkOutcome, act_on_servers
from app.fleet.overviews.fleet_overview import FleetServer, fleet_overview
from app.fleet.overviews.server_filters import ServerFilter
from app.refusals import InvalidRequest
from app.topics.names import FLEET_TOPIC
from app.web.frame.current_user import my_actor
from app.web.frame.formats import Moment, Phrase, counted, format_part
from app.web.lists.filter_links import FilterLink
from app.web.live.live_parts import RenderedParts, render_part
from app.web.live.streams import add_live_views, current_parts
from app.web.operator.attention_items import attention_of, capacity_figures, current_platform
from app.web.operator.operator_access import require_operator
from app.web.servers import server_words

pages = Blueprint("operator_attention", __name__)
pages.before_request(require_operator)

ACTIONS: dict[str, BulkAction] = {"pause": "pause", "resume": "resume", "retry": "retry"}
MAX_SHOWN_REFUSALS = 3


@dataclass(frozen=True)
class ServerChoice:
    """One server that can be chosen for an action. `disk`: percent in use, or None."""

    id: str
    region: str
    icon: str
    words: Phrase
    bad: bool
    disk: int | None
    disk_words: str


@dataclass(frozen=True)
class AttentionSubject:
    """The live parts of the page. Servers announce their changes; all else is read again after some seconds.
    `everything`: lists healthy servers too. `chosen`: all that are listed are chosen."""

    gone: ClassVar[str] = "There is nothing to show."

    everything: bool
    chosen: bool

    @property
    def topic(self) -> str:
        return FLEET_TOPIC

    @property
    def query(self) -> dict[str, str]:
        """Of the page's address."""
        found = {"show": self.everything, "choose": self.chosen}
        return {name: "all" for name, is_set in found.items() if is_set}

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        platform = current_platform(app)  # first: it may wait
        overview = fleet_overview(ServerFilter(page=1))
        found = attention_of(overview, platform.value)
        servers = [_choice(server) for server in (overview.servers if self.everything else found.servers)]
        segments = _segments(self.everything, len(found.servers), len(overview.servers))
        figures = capacity_figures(overview, platform.value.stored)
        return RenderedParts(
            title=server_words.tab_title("Needs attention", overview.counts),
            parts=(
                render_part(app, "attention-count", "operator/attention/_count.html", count=found.count),
                render_part(app, "capacity", "operator/attention/_capacity.html", figures=figures),
                render_part(
                    app,
                    "attention-servers",
                    "operator/attention/_servers.html",
                    servers=servers,
                    segments=segments,
                    everything=self.everything,
                    chosen=self.chosen,
                ),
                render_part(app, "attention-items", "operator/attention/_items.html", items=found.items),
            ),
            rows=(),
            version=version,
            changes_at=platform.changes_at,
        )


@pages.get("/operator/attention")
def page() -> ResponseReturnValue:
    """The page. `?show=all` lists all servers, `?choose=all` chooses those that are listed."""
    subject = _subject()
    found = current_parts(subject)
    return render_template("operator/attention/page.html", live=found, query=subject.query, made_at=Moment(now()))


@pages.post("/operator/attention")
def act() -> ResponseReturnValue:
    """Pause or resume downloads of the chosen servers, or retry what failed there."""
    action = ACTIONS.get(request.form.get("action", ""))
    if action is None:
        raise InvalidRequest("Send `action` as pause, resume or retry.")
    chosen = request.form.getlist("server")
    flash(_outcome(action, act_on_servers(chosen, action, my_actor())) if chosen else "Choose at least 1 server")
    show = "all" if request.form.get("show") == "all" else None
    return redirect(url_for("operator_attention.page", show=show), 303)


def _subject() -> AttentionSubject:
    return AttentionSubject(request.args.get("show") == "all", request.args.get("choose") == "all")


add_live_views(pages, "/operator/attention", _subject)


def _outcome(action: BulkAction, found: BulkOutcome) -> str:
    servers = counted(len(found.done), "server")
    done = {
        "pause": f"Downloads of {servers} are paused",
        "resume": f"Downloads of {servers} are resumed",
        "retry": f"{servers} retry {counted(found.builds, 'build')} now"
        if len(found.done) != 1
        else f"{servers} retries {counted(found.builds, 'build')} now",
    }
    parts = [done[action]] if found.done else []
    parts += [message.removesuffix(".") for message in found.refused[:MAX_SHOWN_REFUSALS]]
    if (more := len(found.refused) - MAX_SHOWN_REFUSALS) > 0:
        parts.append(f"{counted(more, 'more server')} refused")
    return ". ".join(parts)


def _choice(server: FleetServer) -> ServerChoice:
    # "Healthy" would not say why it is listed.
    only_full = server.state == "healthy" and server.is_near_floor
    return ServerChoice(
        id=server.id,
        region=server.region,
        icon="warning" if only_full else server_words.STATE_ICONS[server.state],
        words=("Disk nearly full",) if only_full else server_words.fleet_state(server),
        bad=server.state in {"failed", "conflict"},
        disk=server.disk_percent,
        disk_words=format_part(server.disk_used, server.disk_total, 2) if server.disk_total else "",
    )


def _segments(everything: bool, worse: int, total: int) -> Sequence[FilterLink]:
    # Not url_for, which needs a request: all operators share this HTML.
    return [
        FilterLink("Need attention", worse, "/operator/attention", not everything),
        FilterLink("All", total, "/operator/attention?show=all", everything),
    ]
