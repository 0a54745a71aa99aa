"""The picker: choose an image by its thumbnail, search for it, or add a new one; a page, or a dialog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.data.models.game import Game
from app.images.gallery import GalleryFilter, asset_counts, chosen_images, gallery
from app.images.gallery_images import GalleryImage
from app.images.game_pictures import MAX_SCREENSHOTS
from app.images.image_limits import IMAGE_TYPES, MAX_IMAGE_BYTES
from app.refusals import InvalidRequest
from app.web.frame.current_user import my_actor, my_game, require_sign_in, require_write
from app.web.frame.dialogs import in_dialog
from app.web.frame.formats import counted, format_limit
from app.web.frame.forms import show_refusal, summary_title
from app.web.games.game_header import header_context
from app.web.images.gallery_view import IMAGES_PER_PAGE, Tile, possible_ids, tile_of
from app.web.images.image_form import ImageForm
from app.web.images.picker_purposes import Purpose, requested_purpose

pages = Blueprint("image_picker", __name__)
pages.before_request(require_sign_in)


@pages.get("/games/<slug>/image-choice")
def page(slug: str) -> ResponseReturnValue:
    """The images to choose from. Purpose, search and choice are in the address."""
    game = my_game(slug)
    require_write("Choosing images")
    return render_picker(game, ImageForm())


@pages.post("/games/<slug>/image-choice")
def choose(slug: str) -> ResponseReturnValue:
    """Store the choice."""
    game = my_game(slug)
    require_write("Choosing images")
    return store_choice(game)


def is_requested() -> bool:
    """Whether the address of this request names a purpose of the picker."""
    return "for" in request.args


def answer_added(game: Game, added_id: str, *, existed: bool) -> ResponseReturnValue:
    """The response when an image was added in the picker, or was here already. In the dialog, it is chosen, and a
    button stores the choice. The page was sent with that button."""
    if not in_dialog():
        return store_choice(game, added_id)
    purpose = requested_purpose(game)
    added = "existing" if existed else "new"
    chosen = _requested_choice(purpose, added_id)[: MAX_SCREENSHOTS + 1]  # an address has a limit
    return redirect(url_for("image_picker.page", slug=game.slug, asset=chosen, added=added, **purpose.query), 303)


def store_choice(game: Game, added_id: str | None = None) -> ResponseReturnValue:
    """Store the images that this request chooses, with one that was added. Shows the picker again if there are none, or
    too many."""
    purpose = requested_purpose(game)
    chosen = _requested_choice(purpose, added_id)
    try:
        if not chosen:
            raise InvalidRequest("Choose an image, or add a new one.")
        words = purpose.store(chosen if purpose.is_many else chosen[:1], my_actor())
    except InvalidRequest as refusal:
        form = ImageForm(formdata=None)
        status, headers = show_refusal(form, refusal)
        return render_picker(game, form, added_id), status, headers
    flash(words)
    return redirect(purpose.back, 303)


def render_picker(game: Game, form: ImageForm, added_id: str | None = None) -> str:
    """The picker, with the errors of a choice or of a new image. `added_id`: of an image that was added, and is
    chosen."""
    purpose = requested_purpose(game)
    text, after = request.args.get("q", "").strip()[:256], request.args.get("after", "")[:200]
    found = gallery(game, GalleryFilter(text or None, limit=IMAGES_PER_PAGE, after=after or None))
    chosen = _requested_choice(purpose, added_id) or list(purpose.shown)
    chosen_first = chosen_images(game, chosen)
    is_dialog, tiles = in_dialog(), _tiles(game.slug, (*chosen_first, *found.images))
    shown: dict[str, Any] = {
        "slug": game.slug,
        "purpose": purpose,
        "tiles": tiles,
        "is_empty": not (tiles or text or after),
        "chosen": set(chosen),
        "text": text,
        "older": found.next_cursor,
        "found": counted(found.counts.all, "image") + (f" with “{text}” in the name" if text else ""),
        "note": _note(chosen_first, request.args.get("added", "")),
        "images": asset_counts(game.id).images,
        "form": form,
        "problem": summary_title(form, "The image is not set"),
        "types": ",".join(IMAGE_TYPES),
        "each": format_limit(MAX_IMAGE_BYTES),
        "back": purpose.back,
        "is_dialog": is_dialog,
    }
    if is_dialog:
        return render_template("images/picker.html", layout="images/in_dialog.html", **shown)
    return render_template("images/picker.html", layout="images/in_page.html", **shown, **header_context(game))


def _requested_choice(purpose: Purpose, added_id: str | None = None) -> list[str]:
    """The ids that this request chooses. An added image is the first, and the only one for a purpose with one image."""
    # All of them, also more than a game can show, so that storing the choice refuses them instead of dropping some.
    chosen = possible_ids(request.form.getlist("asset") or request.args.getlist("asset"), most=None)
    if added_id is None:
        return chosen
    return [added_id, *chosen] if purpose.is_many else [added_id]


def _note(chosen: Sequence[GalleryImage], added: str) -> str:
    """What became of the image that was just added."""
    if not chosen or added not in {"new", "existing"}:
        return ""
    name = chosen[0].file_name
    if added == "existing":
        return f"The same file is already here, as {name}. It is chosen."
    return f"{name} is added and chosen."


def _tiles(slug: str, images: Sequence[GalleryImage]) -> list[Tile]:
    """The chosen images first, so that a search does not lose them, then those of the page."""
    return [tile_of(slug, image) for image in {image.image.asset_id: image for image in images}.values()]
