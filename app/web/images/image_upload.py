"""A new image from a page without a script: through the app. The script sends images straight to storage, with the
calls of the assets API (app/api/dashboard.py)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError, validate_csrf
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from wtforms.validators import ValidationError

from app.accounts.partners import dashboard_app_id
from app.config.settings import MIB
from app.data.database import free_connection, free_connection_keeping_rows
from app.data.extensions import csrf, db
from app.data.models.game import Game
from app.images.image_limits import MAX_IMAGE_BYTES
from app.images.intake.image_receiver import receive_image
from app.limits import rate_limits, thread_budgets
from app.refusals import InvalidRequest, PayloadTooLarge, QuotaExceeded, Unavailable
from app.web.frame.current_user import me, my_actor, my_game, my_partner, require_sign_in, require_write
from app.web.frame.formats import limit
from app.web.frame.forms import SHOWN, refused
from app.web.images.gallery_page import ImageForm, show

pages = Blueprint("asset_upload", __name__)
pages.before_request(require_sign_in)

RATE = "240 per minute"  # of one member
LONGEST_NAME = 256


@pages.post("/games/<slug>/assets")
def add(slug: str) -> ResponseReturnValue:
    """One image through the app."""
    require_write("Adding images")  # before a byte of the body is read
    partner = my_partner()
    partner_id, name = partner.id, partner.name
    free_connection_keeping_rows()
    with thread_budgets.image_uploads.acquired(partner_id, name):
        return _add(slug)


def _add(slug: str) -> ResponseReturnValue:
    _require_token()
    game = _writable(slug)
    form = ImageForm()
    file: FileStorage | None = request.files.get("file")
    game_id, app_id = game.id, dashboard_app_id(game.partner_id)
    try:
        rate_limits.count(RATE, "member-presign", me().id).require("you")
        if file is None or not file.filename:
            raise InvalidRequest("Choose an image to add", {"file": "none chosen"})
        name = _file_name(file.filename)
        asset_id = receive_image(game, app_id, file.stream, name, my_actor())
    except (*SHOWN, QuotaExceeded, PayloadTooLarge, Unavailable) as refusal:
        status, headers = refused(form, refusal)
        return show(db.session.get_one(Game, game_id), form), status, headers
    flash(f"{name} is added")
    return redirect(url_for("assets.page", slug=slug, _anchor=f"asset-{asset_id}"), 303)


# It looks at the token itself: the check before every request would measure the body against the limit of forms.
csrf.exempt(add)


def _require_token() -> None:
    # Whoever is signed in may send as much as an image; SameSite cookies keep other sites' forms from being signed in.
    request.max_content_length = MAX_IMAGE_BYTES + MIB
    free_connection_keeping_rows()  # no database connection is held while it comes
    try:
        validate_csrf(request.headers.get("X-CSRFToken") or request.form.get("csrf_token"))
    except ValidationError as error:
        raise CSRFError(str(error)) from None
    except RequestEntityTooLarge:
        raise PayloadTooLarge(
            f"The image is larger than {limit(MAX_IMAGE_BYTES)}. Export it smaller, go back, and choose it again."
        ) from None


def _writable(slug: str) -> Game:
    game_id = my_game(slug).id
    require_write("Adding images")
    free_connection()  # the member stays readable, whatever becomes of the session: a refusal needs them for its page
    return db.session.get_one(Game, game_id)


def _file_name(name: str) -> str:
    """The last part, without control characters."""
    plain = re.sub(r"[\x00-\x1f\x7f]", "", PurePosixPath(name.replace("\\", "/")).name)
    return plain[:LONGEST_NAME] or "image"
