"""One build on one server, for operators: what its partner sees, and the button that retries. Live."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Flask, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.data.models.base import now
from app.fleet.replica_history import ReplicaOnServer, replica_on_server
from app.fleet.replicas import retry_now
from app.fleet.rollout import operators_cell
from app.images.game_pictures import covers_of
from app.refusals import NotFound
from app.topics.names import FLEET_TOPIC
from app.web.builds.build_words import cell_words
from app.web.builds.replica_parts import replica_parts
from app.web.frame.current_user import my_actor
from app.web.frame.formats import Moment
from app.web.frame.image_tags import game_thumbnail
from app.web.live.live_parts import RenderedParts
from app.web.live.streams import add_live_views, current_parts
from app.web.operator.operator_access import require_operator
from app.web.servers.server_words import next_change_at

pages = Blueprint("operator_replica", __name__)
pages.before_request(require_operator)


@dataclass(frozen=True)
class OperatorReplicaSubject:
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
        at, replica = now(), replica_on_server(self.build_id, self.server_id)
        found = operators_cell(self.build_id, self.server_id)
        if replica is None or found is None:
            return None
        game, cell = found
        retry_url = f"/operator/servers/{self.server_id}/builds/{self.build_id}/retries"
        return RenderedParts(
            title=f"{cell_words(cell).word}: {replica.game}, build {replica.build} on {self.server_id} · Slipway",
            parts=replica_parts(app, game, cell, replica.attempts, retry_url),
            rows=(),
            version=version,
            changes_at=next_change_at((cell.reported_at,), at),
        )


@pages.get("/operator/servers/<server_id>/builds/<build_id>")
def page(server_id: str, build_id: str) -> ResponseReturnValue:
    """The state with its details, the attempts so far, and the button that retries."""
    subject, replica = OperatorReplicaSubject(build_id, server_id), _replica(server_id, build_id)
    return render_template(
        "operator/replica.html",
        server_id=server_id,
        build_id=build_id,
        replica=replica,
        cover=game_thumbnail(covers_of([replica.game_id]).get(replica.game_id)),
        live=current_parts(subject),
        made_at=Moment(now()),
    )


def _subject(server_id: str, build_id: str) -> OperatorReplicaSubject:
    return OperatorReplicaSubject(build_id, server_id)


add_live_views(pages, "/operator/servers/<server_id>/builds/<build_id>", _subject)


@pages.post("/operator/servers/<server_id>/builds/<build_id>/retries")
def retry(server_id: str, build_id: str) -> ResponseReturnValue:
    """Let the server retry this build now instead of after its back-off."""
    replica = _replica(server_id, build_id)
    retry_now(replica.game_id, replica.build, server_id, my_actor())
    flash(f"{server_id} retries build {replica.build} of {replica.game} now")
    return redirect(url_for("operator_replica.page", server_id=server_id, build_id=build_id), 303)


def _replica(server_id: str, build_id: str) -> ReplicaOnServer:
    found = replica_on_server(build_id, server_id)
    if found is None:
        raise NotFound(OperatorReplicaSubject(build_id, server_id).gone)
    return found
