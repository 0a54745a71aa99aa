"""Actions on several selected images of the gallery: download as a zip archive, delete, restore."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.components.image_deletion import DeletedAssets, delete_assets, restore_assets
from app.images.originals import zip_entries
from app.limits import thread_budgets
from app.limits.slot_bodies import SlotBody
from app.limits.slots import Owner
from app.refusals import NotFound, QuotaExceeded
from app.storage.zipped_objects import ZippedObjects
from app.web.frame.current_user import my_actor, my_game, my_partner, require_sign_in, require_write
from app.web.frame.formats import counted
from app.web.frame.toasts import flash_with_undo
from app.web.images.gallery_filters import gallery_url, requested_gallery
from app.web.images.gallery_view import possible_ids

pages = Blueprint("selected_images", __name__)
pages.before_request(require_sign_in)

_NONE_SELECTED = "Select images first: tick the boxes on their tiles"


@pages.get("/games/<slug>/assets/archive")
def archive(slug: str) -> ResponseReturnValue:
    """The original files of the selected images as one zip archive."""
    game, partner = my_game(slug), my_partner()
    asset_ids = _selected()
    if not asset_ids:
        flash(_NONE_SELECTED)
        return redirect(gallery_url(game), 303)
    partner_id, name = partner.id, partner.name
    entries = zip_entries(game.id, asset_ids)
    body = SlotBody(thread_budgets.downloads, Owner.partner(partner_id, name), lambda: ZippedObjects(entries))
    response = Response(body, mimetype="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{slug}-images.zip"'
    response.headers["Cache-Control"] = "no-store"
    return response


@pages.post("/games/<slug>/assets/deletions")
def delete(slug: str) -> ResponseReturnValue:
    """Delete the selected images, except those that a finalized revision shows. The toast has an undo button."""
    game = my_game(slug)
    require_write("Deleting images")
    asset_ids, back = _selected(), gallery_url(game)
    if not asset_ids:
        flash(_NONE_SELECTED)
        return redirect(back, 303)
    undo = {"slug": slug, **requested_gallery(game).kept}
    done = delete_assets(game, asset_ids, my_actor())
    if done.deleted:
        undo_url = url_for("selected_images.restore", asset=list(done.deleted), **undo)
        flash_with_undo(_deleted_words(done), "Undo", undo_url)
    else:
        flash(_kept_words(done) or "These images were deleted already")
    return redirect(back, 303)


@pages.post("/games/<slug>/assets/restorations")
def restore(slug: str) -> ResponseReturnValue:
    """Restore deleted images in all places that showed them: all, or none."""
    game = my_game(slug)
    require_write("Restoring images")
    back = gallery_url(game)
    try:
        restored = restore_assets(game, _selected(), my_actor())
    except (QuotaExceeded, NotFound) as refusal:
        flash(refusal.message)
        return redirect(back, 303)
    flash(f"{counted(len(restored), 'image')} {'is' if len(restored) == 1 else 'are'} restored")
    return redirect(back, 303)


def _selected() -> list[str]:
    return possible_ids(request.values.getlist("asset"))


def _deleted_words(done: DeletedAssets) -> str:
    count = len(done.deleted)
    words = f"{counted(count, 'image')} {'is' if count == 1 else 'are'} deleted"
    return f"{words}. {_kept_words(done)}" if done.kept else words


def _kept_words(done: DeletedAssets) -> str:
    if not done.kept:
        return ""
    if len(done.kept) == 1:
        return f"{done.kept[0]} is kept: a finalized revision shows it"
    return f"{counted(len(done.kept), 'image')} are kept: a finalized revision shows them"
