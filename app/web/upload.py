"""Sending a build from a page: the file as it is, in one PUT. The same door as the API's, for a signed-in member."""

from __future__ import annotations

import re
from urllib.parse import unquote

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError, validate_csrf
from sqlalchemy import select
from wtforms.validators import ValidationError

from app import budgets, rates
from app.extensions import csrf, db
from app.fleet.matrix import cache_state
from app.models import Build
from app.refusals import InvalidRequest, NotFound, UnsupportedMediaType
from app.uploads.body import incoming_body
from app.uploads.receiving import receive_archive
from app.web.people import me, my_actor, my_partner, require_sign_in, require_write

pages = Blueprint("upload", __name__)
pages.before_request(require_sign_in)

RATE = "30 per hour"  # of one member
LONGEST_NAME = 255


@pages.put("/games/<slug>/upload")
def send(slug: str) -> ResponseReturnValue:
    """Store, check and publish the body. Whatever can be said without it is said before a byte of it is read."""
    _require_token()
    game = my_partner().games.by_slug(slug)
    require_write("Sending builds")
    rates.count(RATE, "member-upload", me().id).require("you")
    if request.mimetype != "application/gzip":
        raise UnsupportedMediaType("A build is sent as the bytes of its .tar.gz, as application/gzip.")
    release = {"1": True, "0": False}.get(request.args.get("release", ""))
    file_name = _file_name(request.headers.get("X-File-Name", ""))
    body = incoming_body(request.environ, request.content_length)
    with budgets.raw_uploads.held():
        published = receive_archive(game, body, my_actor(), file_name=file_name, release=release)
    build = published.build
    return jsonify(build=build.number, released=published.released, unchanged=published.unchanged)


# It looks at the token itself: the check before every request would measure the body against the limit of forms.
csrf.exempt(send)


@pages.get("/games/<slug>/builds/<int:number>/reach")
def reach(slug: str, number: int) -> Response:
    """How far a build has come, for the row of its upload: `Live on 3 of 5`."""
    game = my_partner().games.by_slug(slug)
    build = db.session.scalar(select(Build).where(Build.game_id == game.id, Build.number == number))
    if build is None:
        raise NotFound(f"'{slug}' has no build {number}.")
    live = game.released_build_id == build.id
    states = cache_state(game) if live else []
    return jsonify(live=live, cached=sum(state.cached for state in states), servers=len(states))


def _require_token() -> None:
    try:
        validate_csrf(request.headers.get("X-CSRFToken"))
    except ValidationError as error:
        raise CSRFError(str(error)) from None


def _file_name(header: str) -> str | None:
    """The name as it was chosen, percent-encoded in its header. Raises InvalidRequest."""
    name = unquote(header).strip()
    if len(name) > LONGEST_NAME or re.search(r"[/\\\x00-\x1f\x7f]", name):
        raise InvalidRequest(
            f"The file's name must be plain, without '/', '\\' or control characters, and at most {LONGEST_NAME} "
            "characters long. Rename the file, then send it again.",
            {"file": "name"},
        )
    return name or None
