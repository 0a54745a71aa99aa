"""Everything that needs an operator's attention on one page, and actions on several servers at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts.partner_list import directory
from app.data.models.base import now
from app.fleet.bulk_actions import BulkAction, BulkOutcome, act_on_servers
from app.fleet.overviews.fleet_overview import FleetServer, fleet_overview
from app.fleet.overviews.server_filters import ServerFilter
from app.packing.pack_states import unmade_packs
from app.refusals import InvalidRequest
from app.web.frame.current_user import my_actor
from app.web.frame.formats import Moment, Phrase, counted
from app.web.frame.storage_banner import storage_outage
from app.web.lists.filter_links import FilterLink
from app.web.operator.attention_items import capacity_figures, needs_attention, other_items
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


@pages.get("/operator/attention")
def page() -> ResponseReturnValue:
    """The page. `?show=all` lists all servers, `?choose=all` chooses those that are listed."""
    overview = fleet_overview(ServerFilter(page=1))
    worse = [server for server in overview.servers if needs_attention(server)]
    everything = request.args.get("show") == "all"
    partners = directory()
    return render_template(
        "operator/attention.html",
        figures=capacity_figures(overview, sum(partner.builds_bytes for partner in partners)),
        items=other_items(storage_outage(), unmade_packs(), partners),
        servers=[_choice(server) for server in (overview.servers if everything else worse)],
        segments=_segments(everything, len(worse), len(overview.servers)),
        everything=everything,
        chosen=request.args.get("choose") == "all",
        made_at=Moment(now()),
    )


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
    return ServerChoice(
        id=server.id,
        region=server.region,
        icon=server_words.STATE_ICONS[server.state],
        words=server_words.fleet_state(server),
        bad=server.state in {"failed", "conflict"},
        disk=server.disk_percent,
        disk_words=server_words.part_of_total(server.disk_used, server.disk_total, 2) if server.disk_total else "",
    )


def _segments(everything: bool, worse: int, total: int) -> Sequence[FilterLink]:
    address = url_for("operator_attention.page")
    return [
        FilterLink("Need attention", worse, address, not everything),
        FilterLink("All", total, url_for("operator_attention.page", show="all"), everything),
    ]
