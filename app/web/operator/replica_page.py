"""One build on one server, for operators: the attempts to fetch it."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.fleet.replica_history import replica_on_server
from app.fleet.reporting.attempt_history import MAX_ATTEMPTS
from app.images.game_pictures import covers_of
from app.refusals import NotFound
from app.web.builds.attempt_rows import attempt_rows
from app.web.frame.image_tags import game_thumbnail
from app.web.operator.operator_access import require_operator

pages = Blueprint("operator_replica", __name__)
pages.before_request(require_operator)


@pages.get("/operator/servers/<server_id>/builds/<build_id>")
def page(server_id: str, build_id: str) -> ResponseReturnValue:
    """The attempts, newest first."""
    replica = replica_on_server(build_id, server_id)
    if replica is None:
        raise NotFound(f"This build is not on '{server_id}', nor on its way there.")
    return render_template(
        "operator/replica.html",
        server_id=server_id,
        replica=replica,
        cover=game_thumbnail(covers_of([replica.game_id]).get(replica.game_id)),
        attempts=attempt_rows(replica.attempts),
        max_attempts=MAX_ATTEMPTS,
    )
