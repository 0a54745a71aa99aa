"""Pages that retire a server."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.fleet.overviews.fleet_overview import fleet_server
from app.fleet.servers import retire_server
from app.web.frame.current_user import local_address, my_actor
from app.web.operator.operator_access import require_operator

pages = Blueprint("operator_retirement", __name__)
pages.before_request(require_operator)


@pages.get("/operator/servers/<server_id>/retirement")
def form(server_id: str) -> ResponseReturnValue:
    """The confirmation form, with the number of running sessions."""
    own_page = url_for("operator_server.page", server_id=server_id)
    return render_template(
        "operator/retire.html",
        server=fleet_server(server_id),
        back=local_address(request.args.get("next"), own_page),
        following=local_address(request.args.get("next"), url_for("operator_servers.index")),
    )


@pages.post("/operator/servers/<server_id>/retirement")
def confirm(server_id: str) -> ResponseReturnValue:
    """Retire the server. Returns to the list of servers that the form was opened from."""
    fleet_server(server_id)
    retire_server(server_id, my_actor())
    flash(f"{server_id} is retired")
    return redirect(local_address(request.form.get("next"), url_for("operator_servers.index")), 303)
