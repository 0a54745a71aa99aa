"""Adding an image through the app, for browsers without the script. The script sends images directly to storage, with
the calls of the assets API (app/api/dashboard_calls.py)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from flask import Blueprint, flash, redirect, request
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
from app.images.gallery import asset_detail
from app.images.image_limits import MAX_IMAGE_BYTES
from app.images.intake.image_receiver import ReceivedImage, receive_image
from app.limits import rate_limits, thread_budgets
from app.limits.slots import Owner
from app.refusals import InvalidRequest, PayloadTooLarge, QuotaExceeded, Unavailable
from app.web.frame.current_user import (
    forget_cached_user,
    me,
    my_actor,
    my_game,
    my_partner,
    require_sign_in,
    require_write,
)
from app.web.frame.dialogs import in_dialog
from app.web.frame.formats import format_limit
from app.web.frame.forms import FORM_REFUSALS, show_refusal
from app.web.images.gallery_filters import gallery_url
from app.web.images.gallery_page import render_gallery
from app.web.images.image_form import ImageForm
from app.web.images.image_picker import answer_added, is_requested, render_picker, store_choice
from slipway.archive.invisible_characters import escape_invisible

pages = Blueprint("asset_upload", __name__)
pages.before_request(require_sign_in)

RATE = "240 per minute"  # per member
MAX_FILE_NAME_LENGTH = 256


@pages.post("/games/<slug>/assets")
def add(slug: str) -> ResponseReturnValue:
    """Add one image: to the gallery, or in the picker of the address. The page of the picker sends its choice here too,
    with a new image or without."""
    require_write("Adding images")  # before a byte of the body is read
    partner = my_partner()
    partner_id, name = partner.id, partner.name
    free_connection_keeping_rows()
    with thread_budgets.image_uploads.acquired(Owner.partner(partner_id, name)):
        return _add(slug)


def _add(slug: str) -> ResponseReturnValue:
    _require_token()
    forget_cached_user()
    if (gone := require_sign_in()) is not None:
        return gone
    game = _writable(slug)
    form = ImageForm()
    file: FileStorage | None = request.files.get("file")
    if is_requested() and not in_dialog() and not (file and file.filename):
        return store_choice(game)
    game_id, app_id = game.id, dashboard_app_id(game.partner_id)
    try:
        rate_limits.count(RATE, "member-presign", me().id).require("image", "you")
        if file is None or not file.filename:
            raise InvalidRequest("Choose an image to add", {"file": "none chosen"})
        name = _file_name(file.filename)
        received = receive_image(game, app_id, file.stream, name, my_actor())
    except (*FORM_REFUSALS, QuotaExceeded, PayloadTooLarge, Unavailable) as refusal:
        status, headers = show_refusal(form, refusal)
        render = render_picker if is_requested() else render_gallery
        return render(db.session.get_one(Game, game_id), form), status, headers
    if is_requested():
        return answer_added(db.session.get_one(Game, game_id), received.asset_id, existed=received.existed)
    flash(_toast(db.session.get_one(Game, game_id), name, received))
    return redirect(gallery_url(db.session.get_one(Game, game_id), received.asset_id), 303)


def _toast(game: Game, file_name: str, received: ReceivedImage) -> str:
    sent = escape_invisible(file_name)
    if not received.existed:
        return f"{sent} is added"
    known = asset_detail(game, received.asset_id).tile.file_name
    return f"{sent} is already here" if known == sent else f"{sent} is already here, as {known}"


# It checks the token itself: the check before each request would apply the size limit of forms to the body.
csrf.exempt(add)


def _require_token() -> None:
    # A signed-in member may send a body as large as an image; SameSite cookies keep out forms of other sites.
    request.max_content_length = MAX_IMAGE_BYTES + MIB
    free_connection_keeping_rows()  # not held while the body arrives
    try:
        in_form = request.form.get("csrf_token")  # the whole body has come then, also where the header has the token
        validate_csrf(request.headers.get("X-CSRFToken") or in_form)
    except ValidationError as error:
        raise CSRFError(str(error)) from None
    except RequestEntityTooLarge:
        raise PayloadTooLarge(
            f"The image is larger than {format_limit(MAX_IMAGE_BYTES)}. Export it smaller, go back, and choose it "
            "again."
        ) from None


def _writable(slug: str) -> Game:
    game_id = my_game(slug).id
    require_write("Adding images")
    free_connection()  # the member stays readable after a rollback: the page of a refusal needs it
    return db.session.get_one(Game, game_id)


def _file_name(name: str) -> str:
    """The last part of a path, without control characters."""
    plain = re.sub(r"[\x00-\x1f\x7f]", "", PurePosixPath(name.replace("\\", "/")).name)
    return plain[:MAX_FILE_NAME_LENGTH] or "image"
