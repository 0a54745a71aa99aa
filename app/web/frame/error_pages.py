"""Error pages: what happened, what to do, and the request id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import cast

from flask import Response, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from app.catalog.game_lookup import games_of
from app.data.extensions import db, htmx, login
from app.data.models.game import Game
from app.process.logs import request_id
from app.refusals import NotFound, RateLimited, Refusal, Unavailable
from app.web.frame.browser_sign_in import session_renewed
from app.web.frame.current_user import needs_sign_in, signed_in_member
from app.web.frame.formats import Moment
from app.web.frame.typed_fields import TypedFields, typed_fields

_TITLES = {
    400: "This request was not understood",
    403: "Your role does not allow this",
    404: "No page at this address",
    405: "This address does not accept that",
    409: "This cannot be done now",
    413: "That is too large for this page",
    429: "Too many requests",
    503: "Not available right now",
}

_ACCEPTED_LATER = {409, 429, 503}  # the same form may be accepted later


@dataclass(frozen=True)
class NearestGame:
    title: str
    url: str


def answer_refusal(refusal: Refusal, status: int) -> ResponseReturnValue:
    """The page for a refusal of a domain package."""
    headers = {}
    if isinstance(refusal, RateLimited | Unavailable):
        headers["Retry-After"] = str(refusal.retry_after)
    slug = (request.view_args or {}).get("slug")
    if isinstance(refusal, NotFound) and slug and "games" in request.path:
        return _no_game(slug, refusal)
    typed = typed_fields() if status in _ACCEPTED_LATER else None
    return _page(status, _TITLES.get(status, "This was not done"), refusal.message, headers, typed)


def answer_http_error(error: HTTPException) -> ResponseReturnValue:
    """The page for an error that Flask raises."""
    status = error.code or 500
    if isinstance(error, CSRFError):
        return _out_of_date()
    if status < 400:
        return error.get_response()
    messages = {
        404: "The address may be mistyped, or the page was deleted.",
        405: f"{request.path} does not accept {request.method}. Use the buttons of its page.",
    }
    return _page(status, _TITLES.get(status, error.name), messages.get(status, error.description or error.name))


def _out_of_date() -> ResponseReturnValue:
    """The response to a form whose CSRF token is of an earlier session. A script gets the token of this session, with
    which it sends the form again if the same member is signed in."""
    member = signed_in_member()
    if member is None and needs_sign_in():
        return cast(ResponseReturnValue, login.unauthorized())
    message = "The form came from a page of an earlier session, so nothing was done."
    if htmx:
        return _line(400, f"{message} Press the button again.", session_renewed(member))
    typed = typed_fields()
    advice = "Check what you typed, then send it again." if typed else "Go back, and do it again."
    return _page(400, "This form is out of date", f"{message} {advice}", typed=typed)


def answer_unexpected(request_id: str) -> ResponseReturnValue:
    """The page for an unexpected failure. It does not look up the member: the database may be the cause."""
    if _wants_line():
        return _line(500, f"Something failed on our side. Quote request {request_id} if you ask an operator.")
    message = (
        "Your request was not completed. Try again. If it fails again, an operator can find the cause in the log by "
        "the request ID below."
    )
    return _page_without_database(500, "Something failed on our side", message, request_id)


def answer_outage(refusal: Unavailable, request_id: str) -> ResponseReturnValue:
    """The page while the database is away or has no room. It looks nothing up."""
    headers = {"Retry-After": str(refusal.retry_after)}
    if _wants_line():
        return _line(503, refusal.message, headers)
    return _page_without_database(503, _TITLES[503], refusal.message, request_id, headers)


def _page_without_database(
    status: int, heading: str, message: str, request_id: str, headers: dict[str, str] | None = None
) -> Response:
    template = current_app.jinja_env.get_template("frame/failed.html")
    page = template.render(
        status=status, heading=heading, message=message, request_id=request_id, at=_now(), theme="auto"
    )
    return Response(page, status, headers, mimetype="text/html")


def _no_game(slug: str, refusal: NotFound) -> ResponseReturnValue:
    member = signed_in_member()
    partner = member.partner if member else None
    if _wants_line() or partner is None:
        return _page(404, _TITLES[404], refusal.message)
    rows = db.session.execute(games_of(partner).with_only_columns(Game.slug, Game.title))
    own = {row.slug: row.title for row in rows}
    if slug in own:  # the game exists; a build or a server does not
        return _page(404, _TITLES[404], refusal.message)
    close = get_close_matches(slug, list(own), n=1, cutoff=0.6)
    nearest = NearestGame(own[close[0]], url_for("game.page", slug=close[0])) if close else None
    known = {"slug": slug, "partner": partner, "nearest": nearest}
    return Response(render_template("frame/no_game.html", **known, request_id=request_id(), at=_now()), 404)


def _page(
    status: int,
    title: str,
    message: str,
    headers: dict[str, str] | None = None,
    typed: TypedFields | None = None,
) -> ResponseReturnValue:
    if _wants_line():
        return _line(status, message, headers)
    page = render_template(
        "frame/refusal.html",
        status=status,
        heading=title,
        message=message,
        request_id=request_id(),
        at=_now(),
        typed=typed,
    )
    return Response(page, status, headers)


def _wants_line() -> bool:
    """Fragments and streams get one line of text instead of a page. So do forms that the script sends: the page stays,
    with what was typed, and shows the line."""
    is_form = request.method not in {"GET", "HEAD"}
    return bool(htmx and (is_form or not htmx.boosted)) or "text/event-stream" in request.accept_mimetypes.values()


def _line(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return Response(f"{message}\n", status, headers, mimetype="text/plain")


def _now() -> Moment:
    return Moment(datetime.now(UTC), "exact")
