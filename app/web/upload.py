"""Sending a build from a page, in parts that go straight to storage: the same uploads as the API's, for a signed-in
member. The script of the page calls these (js/uploads/calls.js); a refusal is a line of text."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy import select
from wtforms import IntegerField, StringField
from wtforms.validators import AnyOf, InputRequired, Length, NumberRange, Regexp

from app import rates
from app.config import settings
from app.extensions import db
from app.fleet.matrix import cache_state
from app.jobs import jobs
from app.models import Build, Game
from app.refusals import InvalidRequest, NotFound
from app.uploads import completing, part_urls, resumable
from app.uploads.resumable import UploadState, find_upload
from app.web.formats import Moment
from app.web.people import me, my_actor, my_partner, require_sign_in, require_write

pages = Blueprint("upload", __name__)
pages.before_request(require_sign_in)

RATE = "30 per hour"  # of one member
LONGEST_NAME = 255
_NAME = (
    f"The file's name must be plain, without '/', '\\' or control characters, and at most {LONGEST_NAME} "
    "characters long. Rename the file, then send it again."
)


class BeginForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """What is announced of a file. `release`: whether its build is to go live by itself."""

    file_name = StringField(
        validators=[
            InputRequired(_NAME),
            Length(max=LONGEST_NAME, message=_NAME),
            Regexp(r"[^/\\\x00-\x1f\x7f]+$", 0, _NAME),
        ]
    )
    size = IntegerField(
        validators=[InputRequired("The file is empty."), NumberRange(1, 2**53 - 1, "The file is empty.")]
    )
    release = StringField(validators=[AnyOf(["0", "1"], "release is 1 or 0.")])


@pages.post("/games/<slug>/uploads")
def begin(slug: str) -> ResponseReturnValue:
    """Begin an upload. What can be refused without its bytes is refused here."""
    game = my_partner().games.by_slug(slug)
    require_write("Sending builds")
    form = _valid(BeginForm())
    rates.count(RATE, "member-upload", me().id).require("you")
    new = resumable.NewUpload(form.file_name.data, form.size.data, release=form.release.data == "1")
    upload = resumable.open_upload(game, new, my_actor())
    return _json(_state(game, UploadState(upload, [])) | _urls(part_urls.first_parts(upload)), 201)


@pages.get("/games/<slug>/uploads/<upload_id>")
def read(slug: str, upload_id: str) -> ResponseReturnValue:
    """Which parts have arrived, how far the check is, and what became of it."""
    game = my_partner().games.by_slug(slug)
    return _json(_state(game, resumable.read_upload(find_upload(game, upload_id))))


@pages.post("/games/<slug>/uploads/<upload_id>/parts")
def sign(slug: str, upload_id: str) -> ResponseReturnValue:
    """Addresses for more parts, or fresh ones."""
    game = my_partner().games.by_slug(slug)
    require_write("Sending builds")
    upload = find_upload(game, upload_id)
    rates.count(settings().parts_rate, "member-parts", me().id).require("you")
    return _json(_urls(part_urls.sign_parts(upload, _numbers())))


@pages.post("/games/<slug>/uploads/<upload_id>/completion")
def complete(slug: str, upload_id: str) -> ResponseReturnValue:
    """Every part was sent: have the archive checked. Again, after a lost answer: how far that is."""
    game = my_partner().games.by_slug(slug)
    require_write("Sending builds")
    upload = completing.complete(find_upload(game, upload_id))
    if upload.state == "checking":
        jobs(current_app).check_soon(upload.id)
    return _json(_state(game, UploadState(upload, [])))


@pages.delete("/games/<slug>/uploads/<upload_id>")
def cancel(slug: str, upload_id: str) -> ResponseReturnValue:
    """Drop an upload with its bytes, or forget one that has ended."""
    game = my_partner().games.by_slug(slug)
    require_write("Cancelling uploads")
    resumable.cancel(find_upload(game, upload_id), my_actor())
    return Response(status=204)


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


def _valid(form: FlaskForm) -> Any:
    """The form. Raises InvalidRequest with what is wrong first."""
    if not form.validate():
        name, errors = next(iter(form.errors.items()))
        raise InvalidRequest(str(errors[0]), {str(name): str(errors[0])})
    return form


def _numbers() -> list[int]:
    texts = request.form.getlist("number")
    try:
        return [int(text) for text in texts]
    except ValueError:
        raise InvalidRequest("Parts are named by their numbers.", {"number": "whole numbers"}) from None


def _state(game: Game, state: UploadState) -> dict[str, Any]:
    """Times are ISO 8601 in UTC, sizes bytes. `unchanged`: the newest build had the same bytes, so none was made."""
    upload, layout = state.upload, state.layout
    build = None
    if upload.state == "done":
        build = db.session.scalar(select(Build).where(Build.game_id == game.id, Build.number == upload.build_number))
    return {
        "id": upload.id,
        "phase": upload.state,
        "size": upload.size,
        "partSize": upload.part_size,
        "parts": [part.number for part in layout.within(state.parts or []) if part.size == layout.size_of(part.number)],
        "receivedBytes": state.received_bytes,
        "expiresAt": Moment(state.expires_at).iso,
        "bytesRead": upload.bytes_read,
        "filesRead": upload.files_read,
        "reason": upload.reason,
        "build": upload.build_number,
        "released": upload.released,
        "unchanged": build is not None and build.object_key != upload.object_key,
    }


def _urls(signed: part_urls.SignedParts) -> dict[str, Any]:
    return {"urls": {str(part.number): part.url for part in signed.parts}}


def _json(shape: dict[str, Any], status: int = 200) -> Response:
    """Its addresses are good for whoever has them: nobody keeps them."""
    response = jsonify(shape)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
