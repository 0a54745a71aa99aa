"""The page of one server, and its actions: pause and resume downloads, retry, and how many old builds it keeps."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import IntegerField
from wtforms.validators import InputRequired, NumberRange

from app.data.models.base import now
from app.fleet.overviews.fleet_overview import FleetServer, find_fleet_server, fleet_server, no_server
from app.fleet.retries import retry_failed
from app.fleet.servers import MAX_KEEP_PREVIOUS, pause_server, set_keep_previous
from app.refusals import InvalidRequest
from app.topics.names import FLEET_TOPIC
from app.web.frame.current_user import local_address, my_actor
from app.web.frame.formats import Moment, counted, plain_text
from app.web.frame.forms import summary_title
from app.web.live.live_parts import RenderedParts, render_part
from app.web.live.streams import add_live_views, current_parts
from app.web.operator.operator_access import require_operator
from app.web.operator.server_detail import detail_parts
from app.web.servers import server_words

pages = Blueprint("operator_server", __name__)
pages.before_request(require_operator)


_KEEP_RANGE = f"Keep 0 to {MAX_KEEP_PREVIOUS} builds"


class KeepForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """How many builds per game the server keeps beside the live one."""

    keep_previous = IntegerField(
        "Builds kept for rolling back",
        [InputRequired(_KEEP_RANGE), NumberRange(0, MAX_KEEP_PREVIOUS, _KEEP_RANGE)],
        default=1,
    )


@dataclass(frozen=True)
class ServerSubject:
    """The live parts of a server's page."""

    server_id: str

    @property
    def topic(self) -> str:
        return FLEET_TOPIC

    @property
    def gone(self) -> str:
        return no_server(self.server_id)

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        at, server = now(), find_fleet_server(self.server_id)
        if server is None:
            return None
        chips = server_words.fleet_chips(server)
        builds, facts = detail_parts(app, server)
        return RenderedParts(
            title=f"{server.id}: {plain_text(chips[0].words)} · Slipway",
            parts=(render_part(app, "server-state", "servers/_server_state.html", chips=chips), facts, builds),
            rows=(),
            version=version,
            changes_at=server_words.next_change_at((server.reported_at,), at),
        )


@pages.get("/operator/servers/<server_id>")
def page(server_id: str) -> ResponseReturnValue:
    """The page."""
    server = fleet_server(server_id)
    return _page(server, KeepForm(formdata=None, keep_previous=server.keep_previous))


def _page(server: FleetServer, form: KeepForm) -> str:
    return render_template(
        "operator/server.html",
        live=current_parts(ServerSubject(server.id)),
        server=server,
        form=form,
        problem=summary_title(form, "The setting is not saved yet"),
        made_at=Moment(now()),
    )


add_live_views(pages, "/operator/servers/<server_id>", ServerSubject)


@pages.post("/operator/servers/<server_id>/downloads")
def downloads(server_id: str) -> ResponseReturnValue:
    """Pause or resume downloads."""
    action = request.form.get("downloads")
    if action not in {"pause", "resume"}:
        raise InvalidRequest("Send `downloads` as pause or resume.")
    pause_server(server_id, action == "pause", my_actor())
    return _done(server_id, f"Downloads of {server_id} are {'paused' if action == 'pause' else 'resumed'}")


@pages.post("/operator/servers/<server_id>/retries")
def retries(server_id: str) -> ResponseReturnValue:
    """Retry all failed downloads now."""
    count = retry_failed(server_id, my_actor())
    return _done(
        server_id, f"{server_id} retries {counted(count, 'build')} now" if count else f"Nothing failed on {server_id}"
    )


@pages.post("/operator/servers/<server_id>/kept-builds")
def keep(server_id: str) -> ResponseReturnValue:
    """Set how many builds the server keeps for rolling back."""
    server, form = fleet_server(server_id), KeepForm()
    if not form.validate():
        form.keep_previous.errors = [_KEEP_RANGE]
        return _page(server, form), 422
    builds = form.keep_previous.data or 0
    set_keep_previous(server_id, builds, my_actor())
    flash(f"{server_id} keeps {counted(builds, 'build')} per game for rolling back")
    return redirect(url_for("operator_server.page", server_id=server_id), 303)


def _done(server_id: str, message: str) -> ResponseReturnValue:
    """Return to the page with the button."""
    flash(message)
    own_page = url_for("operator_server.page", server_id=server_id)
    return redirect(local_address(request.form.get("next"), own_page), 303)
