"""The page with a new token: the commands to run, in their order, and whether the agent has reported since. Live."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Flask, render_template, request

from app.data.models.base import now
from app.fleet.overviews.fleet_overview import find_fleet_server, no_server
from app.refusals import InvalidRequest
from app.topics.names import FLEET_TOPIC
from app.web.frame.current_user import forget_cached_user
from app.web.frame.formats import Moment
from app.web.live.live_parts import RenderedParts, render_part
from app.web.live.streams import add_live_views, current_parts
from app.web.operator.install_command import NewToken
from app.web.operator.operator_access import require_operator

pages = Blueprint("operator_first_report", __name__)
pages.before_request(require_operator)


@dataclass(frozen=True)
class FirstReportSubject:
    """Whether the agent of a server has reported after `made_at`, when its token was made."""

    server_id: str
    made_at: datetime

    @property
    def topic(self) -> str:
        return FLEET_TOPIC

    @property
    def gone(self) -> str:
        return no_server(self.server_id)

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        server = find_fleet_server(self.server_id)
        if server is None:
            return None
        reported = server.reported_at is not None and server.reported_at > self.made_at
        return RenderedParts(
            title=f"Token of {self.server_id} · Slipway",
            parts=(
                render_part(
                    app, "first-report", "operator/servers/_first_report.html", server=server, reported=reported
                ),
            ),
            rows=(),
            version=version,
        )


def render_new_token(new_token: NewToken) -> str:
    """The page. It is the response to the form that made the token, which no other response shows."""
    live = current_parts(FirstReportSubject(new_token.server_id, new_token.made_at))
    forget_cached_user()  # what was loaded of the member ended with the transaction that made the token
    return render_template(
        "operator/token.html",
        new_token=new_token,
        live=live,
        address={"server_id": new_token.server_id, "made": new_token.made_at.isoformat()},
        made_at=Moment(now()),
    )


def _subject(server_id: str) -> FirstReportSubject:
    try:
        made_at = datetime.fromisoformat(request.args.get("made", ""))
    except ValueError:
        made_at = None
    if made_at is None or made_at.tzinfo is None:
        raise InvalidRequest("Send `made` as a time with its zone, such as 2026-11-29T19:00:00Z.")
    return FirstReportSubject(server_id, made_at)


add_live_views(pages, "/operator/servers/<server_id>/first-report", _subject)
