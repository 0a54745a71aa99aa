"""One build on one server, for operators: the attempts to fetch it. Live."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Flask, render_template
from flask.typing import ResponseReturnValue

from app.data.models.base import now
from app.fleet.replica_history import ReplicaOnServer, replica_on_server
from app.fleet.reporting.attempt_history import MAX_ATTEMPTS
from app.images.game_pictures import covers_of
from app.refusals import NotFound
from app.topics.names import FLEET_TOPIC
from app.web.builds.attempt_rows import attempt_rows
from app.web.frame.formats import Moment
from app.web.frame.image_tags import game_thumbnail
from app.web.live.live_parts import RenderedParts, render_part
from app.web.live.streams import add_live_views, current_parts
from app.web.operator.operator_access import require_operator

pages = Blueprint("operator_replica", __name__)
pages.before_request(require_operator)


@dataclass(frozen=True)
class AttemptsSubject:
    """The live parts of the page."""

    build_id: str
    server_id: str

    @property
    def topic(self) -> str:
        return FLEET_TOPIC

    @property
    def gone(self) -> str:
        return f"This build is not on '{self.server_id}', nor on its way there."

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        replica = replica_on_server(self.build_id, self.server_id)
        if replica is None:
            return None
        attempts = attempt_rows(replica.attempts)
        return RenderedParts(
            title=f"{replica.game}, build {replica.build} on {self.server_id} · Slipway",
            parts=(
                render_part(app, "attempts", "builds/replica/_attempts.html", attempts=attempts, most=MAX_ATTEMPTS),
            ),
            rows=(),
            version=version,
        )


@pages.get("/operator/servers/<server_id>/builds/<build_id>")
def page(server_id: str, build_id: str) -> ResponseReturnValue:
    """The attempts, newest first."""
    subject, replica = AttemptsSubject(build_id, server_id), _replica(server_id, build_id)
    return render_template(
        "operator/replica.html",
        server_id=server_id,
        build_id=build_id,
        replica=replica,
        cover=game_thumbnail(covers_of([replica.game_id]).get(replica.game_id)),
        live=current_parts(subject),
        made_at=Moment(now()),
    )


add_live_views(pages, "/operator/servers/<server_id>/builds/<build_id>", AttemptsSubject)


def _replica(server_id: str, build_id: str) -> ReplicaOnServer:
    found = replica_on_server(build_id, server_id)
    if found is None:
        raise NotFound(AttemptsSubject(build_id, server_id).gone)
    return found
