"""A game's images: the live gallery, and the drop zone for new images."""

from __future__ import annotations

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue

from app.data.models.base import now
from app.data.models.game import Game
from app.images.gallery import apps_with_assets
from app.images.image_limits import IMAGE_TYPES, MAX_IMAGE_BYTES
from app.web.frame.current_user import my_game, require_sign_in
from app.web.frame.formats import Moment, format_limit
from app.web.frame.forms import summary_title
from app.web.games.game_header import header_context
from app.web.images.gallery_filters import SORTS, requested_gallery
from app.web.images.gallery_view import GallerySubject
from app.web.images.image_form import ImageForm
from app.web.live.streams import add_live_views, current_parts

pages = Blueprint("assets", __name__)
pages.before_request(require_sign_in)


@pages.get("/games/<slug>/assets")
def page(slug: str) -> ResponseReturnValue:
    """The gallery. Filters are in the address."""
    return render_gallery(my_game(slug), ImageForm())


add_live_views(pages, "/games/<slug>/assets", lambda slug: _requested_gallery(my_game(slug)))


def render_gallery(game: Game, form: ImageForm) -> str:
    """The page, with the errors of its form."""
    subject, apps = _requested_gallery(game), [(app.id, app.name) for app in apps_with_assets(game)]
    address = subject.address
    found = header_context(game)
    return render_template(
        "images/gallery.html",
        **found,
        address=address,
        kept=address.kept,
        filters=subject.filters,
        apps=apps,
        sorts=SORTS,
        form=form,
        problem=summary_title(form, "The image is not added"),
        gallery=current_parts(subject),
        parts_url=url_for("assets.parts", slug=game.slug) + address.query,
        live_url=url_for("assets.live", slug=game.slug) + address.query,
        most_bytes=MAX_IMAGE_BYTES,
        each=format_limit(MAX_IMAGE_BYTES),
        types=",".join(IMAGE_TYPES),
        made_at=Moment(now()),
    )


def _requested_gallery(game: Game) -> GallerySubject:
    address = requested_gallery(game)
    chosen = address.value("app")
    names = {app.id: app.name for app in apps_with_assets(game)} if chosen else {}
    return GallerySubject(game.id, address, names.get(chosen, chosen))
