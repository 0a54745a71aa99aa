"""A game's images: the gallery, live, and where new ones are dropped."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import FileField

from app.data.models.base import now
from app.data.models.game import Game
from app.images.gallery import apps_with_assets
from app.images.image_limits import IMAGE_TYPES, MAX_IMAGE_BYTES
from app.web.frame.current_user import my_game, require_sign_in
from app.web.frame.formats import Moment, limit
from app.web.frame.forms import problem
from app.web.games.game_header import head
from app.web.images.gallery_view import USED, GallerySubject
from app.web.live.streams import fragment, present, stream

pages = Blueprint("assets", __name__)
pages.before_request(require_sign_in)

_GONE = "This game is not there any more."


class ImageForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """One image, sent through the app: for pages without a script."""

    file = FileField("Image")


@pages.get("/games/<slug>/assets")
def page(slug: str) -> ResponseReturnValue:
    """The gallery; filters are in the address."""
    return show(my_game(slug), ImageForm())


@pages.get("/games/<slug>/assets/parts")
def parts(slug: str) -> Response:
    """The live parts for pages that poll. 304 when nothing changed."""
    return fragment(_asked(my_game(slug)), _GONE)


@pages.get("/games/<slug>/assets/live")
def live(slug: str) -> Response:
    """The live parts as a stream. 503 when all streams are taken: the page polls instead."""
    return stream(_asked(my_game(slug)))


def show(game: Game, form: ImageForm) -> str:
    """The whole page, also with what is wrong with a form of it."""
    asked, apps = _asked(game), [(app.id, app.name) for app in apps_with_assets(game)]
    found = head(game)
    query = urlencode(asked.query())
    return render_template(
        "images/gallery.html",
        **found,
        asked=asked,
        apps=apps,
        form=form,
        problem=problem(form, "The image is not added"),
        gallery=present(asked, _GONE),
        parts_url=url_for("assets.parts", slug=game.slug) + (f"?{query}" if query else ""),
        live_url=url_for("assets.live", slug=game.slug) + (f"?{query}" if query else ""),
        most_bytes=MAX_IMAGE_BYTES,
        each=limit(MAX_IMAGE_BYTES),
        types=",".join(IMAGE_TYPES),
        made_at=Moment(now()),
    )


def _asked(game: Game) -> GallerySubject:
    text, used, app_id, after = (request.args.get(name, "").strip() for name in ("q", "used", "app", "after"))
    return GallerySubject(game.id, text[:256], used if used in USED else "", app_id[:40], after[:200])
