"""One image of a game: its facts, its uses and its actions; a page, or a dialog of the gallery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectField

from app.components.image_deletion import UNDO_WINDOW, delete_asset, restore_asset
from app.data.models.game import Game
from app.images.asset_refusals import RevisionFinalized
from app.images.gallery import AssetDetail, asset_detail
from app.images.game_pictures import MAX_SCREENSHOTS, pick_cover, pictures_of, place_screenshot
from app.images.originals import original_url
from app.refusals import InvalidRequest, QuotaExceeded
from app.web.components.component_words import dimensions, kind_name
from app.web.frame.current_user import me, my_actor, my_game, require_sign_in, require_write
from app.web.frame.dialogs import in_dialog
from app.web.frame.formats import Copyable, Fact, Moment, format_duration, format_size
from app.web.frame.forms import select_choices
from app.web.frame.image_tags import image_url, picture
from app.web.frame.toasts import flash_with_undo
from app.web.games.game_header import header_context
from app.web.images.gallery_filters import gallery_url, requested_gallery

pages = Blueprint("asset", __name__)
pages.before_request(require_sign_in)

IMAGE_BOX = (520, 420)
_TYPES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WebP", "image/gif": "GIF"}


class PlaceForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The position among the screenshots; "" for none."""

    place = SelectField("Screenshot")


@pages.get("/games/<slug>/assets/<asset_id>")
def page(slug: str, asset_id: str) -> ResponseReturnValue:
    """The image with its facts and uses."""
    game = my_game(slug)
    detail = asset_detail(game, asset_id)
    form = _place_form(game, detail)
    shown = {
        "slug": slug,
        "detail": detail,
        "image": picture(detail.tile.image, *IMAGE_BOX),
        "facts": _facts(detail),
        "sizes": _sizes(detail),
        "shown_on": _shown_on(slug, detail),
        "original": url_for("asset.original", slug=slug, asset_id=asset_id),
        "place": form,
        "filters": requested_gallery(game).kept,
        "undo": format_duration(UNDO_WINDOW.total_seconds()),
        "may_write": me().may_write,
        "back": gallery_url(game),
    }
    if in_dialog():
        return render_template("images/image.html", layout="images/in_dialog.html", **shown)
    return render_template("images/image.html", layout="images/in_page.html", **shown, **header_context(game))


@pages.get("/games/<slug>/assets/<asset_id>/original")
def original(slug: str, asset_id: str) -> ResponseReturnValue:
    """Redirect to the original file in storage, at a presigned address."""
    game = my_game(slug)
    answer = redirect(original_url(game.id, asset_id), 302, Response)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@pages.post("/games/<slug>/assets/<asset_id>/deletion")
def delete(slug: str, asset_id: str) -> ResponseReturnValue:
    """Delete the image from all places that show it. The toast has an undo button."""
    game = my_game(slug)
    require_write("Deleting images")
    filters = requested_gallery(game).kept
    name = asset_detail(game, asset_id).tile.file_name
    try:
        delete_asset(game, asset_id, my_actor())
    except RevisionFinalized as refusal:
        flash(refusal.message)
        return redirect(url_for("asset.page", slug=slug, asset_id=asset_id, **filters), 303)
    flash_with_undo(f"{name} is deleted", "Undo", url_for("asset.restore", slug=slug, asset_id=asset_id, **filters))
    return redirect(gallery_url(game), 303)


@pages.post("/games/<slug>/assets/<asset_id>/restoration")
def restore(slug: str, asset_id: str) -> ResponseReturnValue:
    """Restore a deleted image in all places that showed it."""
    game = my_game(slug)
    require_write("Restoring images")
    try:
        restored = restore_asset(game, asset_id, my_actor())
    except QuotaExceeded as refusal:
        flash(refusal.message)
        return redirect(gallery_url(game), 303)
    flash(f"{restored.shown_name} is restored")
    return redirect(gallery_url(game, restored.id), 303)


@pages.post("/games/<slug>/assets/<asset_id>/cover")
def cover(slug: str, asset_id: str) -> ResponseReturnValue:
    """Make the image the game's cover."""
    game = my_game(slug)
    require_write("Choosing the cover")
    name = asset_detail(game, asset_id).tile.file_name
    pick_cover(game, asset_id, my_actor())
    flash(f"{name} is the cover")
    return redirect(gallery_url(game, asset_id), 303)


@pages.post("/games/<slug>/assets/<asset_id>/cover/deletion")
def no_cover(slug: str, asset_id: str) -> ResponseReturnValue:
    """Remove the cover if it is this image."""
    game = my_game(slug)
    require_write("Choosing the cover")
    tile = asset_detail(game, asset_id).tile
    if tile.is_cover:
        pick_cover(game, None, my_actor())
    flash(f"{tile.file_name} is no longer the cover")
    return redirect(gallery_url(game, asset_id), 303)


@pages.post("/games/<slug>/assets/<asset_id>/screenshot")
def screenshot(slug: str, asset_id: str) -> ResponseReturnValue:
    """Set the image's position among the screenshots, or remove it from them."""
    game = my_game(slug)
    require_write("Choosing screenshots")
    detail = asset_detail(game, asset_id)
    form, name = _place_form(game, detail), detail.tile.file_name
    if not form.validate_on_submit():
        raise InvalidRequest(f"Choose a place for {name} from the list.")
    place = int(form.place.data) if form.place.data else None
    place_screenshot(game, asset_id, place, my_actor())
    flash(f"{name} is screenshot {place}" if place else f"{name} is not a screenshot")
    return redirect(gallery_url(game, asset_id), 303)


def _place_form(game: Game, detail: AssetDetail) -> PlaceForm:
    count = len(pictures_of([game.id])[game.id].screenshots)
    last = min(MAX_SCREENSHOTS, count if detail.tile.screenshot else count + 1)
    form = PlaceForm(place=str(detail.tile.screenshot or ""))
    labels = {"": "Not a screenshot"} | {str(place): f"Screenshot {place}" for place in range(1, last + 1)}
    form.place.choices = select_choices(labels)
    return form


def _facts(detail: AssetDetail) -> Sequence[Fact]:
    tile, image = detail.tile, detail.tile.image
    facts: list[Fact] = [
        ("Size", (f"{dimensions(image.width_px, image.height_px)} pixels",)),
        ("File", (f"{_TYPES[image.mime_type]}, {format_size(image.byte_size)}",)),
        ("Added", (Moment(tile.created_at), f" by {tile.sent_by}")),
        ("App", (tile.app_name,)),
        ("ID", Copyable(image.asset_id, "id of the image")),
    ]
    if tile.is_cover or tile.screenshot:
        shown = ["Cover"] if tile.is_cover else []
        shown += [f"Screenshot {tile.screenshot}"] if tile.screenshot else []
        facts.append(("Shown as", (", ".join(shown),)))
    if tile.frozen_in:
        facts.append(("Finalized in", (f"Revision {', '.join(str(number) for number in tile.frozen_in)}",)))
    return facts


def _shown_on(slug: str, detail: AssetDetail) -> list[tuple[str, str, str, str]]:
    """(address, name, external key, kind and side such as `Card, front`)."""
    return [
        (
            url_for("component.page", slug=slug, component_id=one.component_id),
            one.name,
            one.external_key,
            f"{kind_name(one.kind)}, {one.side}",
        )
        for one in detail.shown_on
    ]


def _sizes(detail: AssetDetail) -> list[dict[str, Any]]:
    """One entry per stored file, with the sizes it serves."""
    found: dict[str, dict[str, Any]] = {}
    for variant in detail.tile.image.variants:
        line = found.setdefault(variant.key, {"url": image_url(variant.key), "for": [], "variant": variant})
        line["for"].append(str(variant.size))
    return [
        {
            "url": line["url"],
            "for": ", ".join(line["for"]),
            "pixels": dimensions(line["variant"].width_px, line["variant"].height_px),
            "bytes": format_size(line["variant"].byte_size),
        }
        for line in found.values()
    ]
