"""One image of a game: what it is, what shows it, and what can be done with it; a page, or a dialog of the gallery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectField

from app.components.image_deletion import UNDO_WINDOW, delete_asset, restore_asset
from app.data.extensions import htmx
from app.data.models.game import Game
from app.images.asset_refusals import RevisionFinalized
from app.images.gallery import AssetDetail, asset_detail
from app.images.game_pictures import MAX_SCREENSHOTS, pick_cover, pictures_of, place_screenshot
from app.images.originals import original_url
from app.refusals import InvalidRequest, QuotaExceeded
from app.web.components.component_words import dimensions, kind_name
from app.web.frame.current_user import me, my_actor, my_game, require_sign_in, require_write
from app.web.frame.formats import Moment, Text, duration, size
from app.web.frame.forms import choices
from app.web.frame.image_tags import image_url, picture
from app.web.frame.toasts import flash_with_undo
from app.web.games.game_header import head

pages = Blueprint("asset", __name__)
pages.before_request(require_sign_in)

SHOWN = (520, 420)
_TYPES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WebP", "image/gif": "GIF"}


class PlaceForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """Where among the screenshots; "" for nowhere."""

    place = SelectField("Screenshot")


@pages.get("/games/<slug>/assets/<asset_id>")
def page(slug: str, asset_id: str) -> ResponseReturnValue:
    """Everything about it."""
    game = my_game(slug)
    detail = asset_detail(game, asset_id)
    form = _place_form(game, detail)
    shown = {
        "slug": slug,
        "detail": detail,
        "image": picture(detail.tile.image, *SHOWN),
        "facts": _facts(detail),
        "sizes": _sizes(detail),
        "shown_on": _shown_on(slug, detail),
        "original": url_for("asset.original", slug=slug, asset_id=asset_id),
        "place": form,
        "undo": duration(UNDO_WINDOW.total_seconds()),
        "may_write": me().may_write,
        "back": url_for("assets.page", slug=slug),
    }
    if htmx and not htmx.boosted:
        return render_template("images/image.html", layout="images/in_dialog.html", **shown)
    return render_template("images/image.html", layout="images/in_page.html", **shown, **head(game))


@pages.get("/games/<slug>/assets/<asset_id>/original")
def original(slug: str, asset_id: str) -> ResponseReturnValue:
    """On to the file as it was sent, at an address in storage that lives for minutes."""
    game = my_game(slug)
    answer = redirect(original_url(game.id, asset_id), 302, Response)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@pages.post("/games/<slug>/assets/<asset_id>/deletion")
def delete(slug: str, asset_id: str) -> ResponseReturnValue:
    """Take it out of everything; the toast brings it back."""
    game = my_game(slug)
    require_write("Deleting images")
    name = asset_detail(game, asset_id).tile.file_name
    try:
        delete_asset(game, asset_id, my_actor())
    except RevisionFinalized as refusal:
        flash(refusal.message)
        return _back(slug, asset_id)
    flash_with_undo(f"{name} is deleted", "Undo", url_for("asset.restore", slug=slug, asset_id=asset_id))
    return redirect(url_for("assets.page", slug=slug), 303)


@pages.post("/games/<slug>/assets/<asset_id>/restoration")
def restore(slug: str, asset_id: str) -> ResponseReturnValue:
    """Bring it back, to where it was shown."""
    game = my_game(slug)
    require_write("Bringing images back")
    try:
        restored = restore_asset(game, asset_id, my_actor())
    except QuotaExceeded as refusal:
        flash(refusal.message)
        return redirect(url_for("assets.page", slug=slug), 303)
    flash(f"{restored.file_name} is back")
    return redirect(url_for("assets.page", slug=slug, _anchor=f"asset-{restored.id}"), 303)


@pages.post("/games/<slug>/assets/<asset_id>/cover")
def cover(slug: str, asset_id: str) -> ResponseReturnValue:
    """Show it as the game's cover."""
    game = my_game(slug)
    require_write("Picking the cover")
    name = asset_detail(game, asset_id).tile.file_name
    pick_cover(game, asset_id, my_actor())
    flash(f"{name} is the cover")
    return redirect(url_for("assets.page", slug=slug, _anchor=f"asset-{asset_id}"), 303)


@pages.post("/games/<slug>/assets/<asset_id>/cover/deletion")
def no_cover(slug: str, asset_id: str) -> ResponseReturnValue:
    """Show none any more, if this one is it."""
    game = my_game(slug)
    require_write("Picking the cover")
    tile = asset_detail(game, asset_id).tile
    if tile.is_cover:
        pick_cover(game, None, my_actor())
    flash(f"{tile.file_name} is not the cover any more")
    return redirect(url_for("assets.page", slug=slug, _anchor=f"asset-{asset_id}"), 303)


@pages.post("/games/<slug>/assets/<asset_id>/screenshot")
def screenshot(slug: str, asset_id: str) -> ResponseReturnValue:
    """Put it at a place among the screenshots, or take it out."""
    game = my_game(slug)
    require_write("Picking screenshots")
    detail = asset_detail(game, asset_id)
    form, name = _place_form(game, detail), detail.tile.file_name
    if not form.validate_on_submit():
        raise InvalidRequest(f"Choose one of the places that the list offers for {name}.")
    place = int(form.place.data) if form.place.data else None
    place_screenshot(game, asset_id, place, my_actor())
    flash(f"{name} is screenshot {place}" if place else f"{name} is no screenshot")
    return redirect(url_for("assets.page", slug=slug, _anchor=f"asset-{asset_id}"), 303)


def _back(slug: str, asset_id: str) -> ResponseReturnValue:
    return redirect(url_for("asset.page", slug=slug, asset_id=asset_id), 303)


def _place_form(game: Game, detail: AssetDetail) -> PlaceForm:
    there = len(pictures_of([game.id])[game.id].screenshots)
    last = min(MAX_SCREENSHOTS, there if detail.tile.screenshot else there + 1)
    form = PlaceForm(place=str(detail.tile.screenshot or ""))
    labels = {"": "Not a screenshot"} | {str(place): f"Screenshot {place}" for place in range(1, last + 1)}
    form.place.choices = choices(labels)
    return form


def _facts(detail: AssetDetail) -> Sequence[tuple[str, Text]]:
    tile, image = detail.tile, detail.tile.image
    facts: list[tuple[str, Text]] = [
        ("Size", (f"{dimensions(image.width_px, image.height_px)} pixels",)),
        ("File", (f"{_TYPES[image.mime_type]}, {size(image.byte_size)}",)),
        ("Added", (Moment(tile.created_at), f" by {tile.sent_by}")),
        ("App", (tile.app_name,)),
    ]
    if tile.is_cover or tile.screenshot:
        shown = ["Cover"] if tile.is_cover else []
        shown += [f"Screenshot {tile.screenshot}"] if tile.screenshot else []
        facts.append(("Shown as", (", ".join(shown),)))
    if tile.frozen_in:
        facts.append(("Finalized in", (f"Revision {', '.join(str(number) for number in tile.frozen_in)}",)))
    return facts


def _shown_on(slug: str, detail: AssetDetail) -> list[tuple[str, str, str, str]]:
    """(address, name, external key, `Card, front`)."""
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
    """Each made file once, with the sizes it stands for."""
    found: dict[str, dict[str, Any]] = {}
    for variant in detail.tile.image.variants:
        line = found.setdefault(variant.key, {"url": image_url(variant.key), "for": [], "variant": variant})
        line["for"].append(str(variant.size))
    return [
        {
            "url": line["url"],
            "for": ", ".join(line["for"]),
            "pixels": dimensions(line["variant"].width_px, line["variant"].height_px),
            "bytes": size(line["variant"].byte_size),
        }
        for line in found.values()
    ]
