"""Registering a game."""

from __future__ import annotations

from collections.abc import Collection

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.catalog.game_lookup import games_of
from app.catalog.game_metadata import REQUIRED
from app.catalog.games import register_game
from app.catalog.games_by_id import numbered, slug_of
from app.data.extensions import db
from app.data.models.game import Game
from app.refusals import SlugTaken
from app.web.frame.current_user import my_actor, my_partner, require_sign_in, require_write
from app.web.frame.forms import summary_title
from app.web.games.game_form import GameForm

pages = Blueprint("new_game", __name__)
pages.before_request(require_sign_in)

MAX_FILLED = 200  # characters of a value in the address
MAX_FILE_NAME = 255
_READ = ("title", "launcher", "renpy_dir")  # what a browser reads from an archive

_FIELDS = (*REQUIRED, "thumbnail", "screenshots", "release_date", "content_rating", "languages", "auto_release")


@pages.get("/games/new")
def page() -> ResponseReturnValue:
    """The empty form, or filled with what an archive that was dropped on the list says about its game, and that is sent
    meanwhile."""
    require_write("Registering games")
    read = {name: request.args.get(name, "")[:MAX_FILLED] for name in _READ}
    filled = {"slug": slug_of(read["title"]) if read["title"] else "", "developer": my_partner().name}
    return _page(
        GameForm(data=read | filled | {"auto_release": True}),
        file=request.args.get("file", "")[:MAX_FILE_NAME],
        read={name for name in _READ if read[name]},
    )


@pages.post("/games/new")
def register() -> ResponseReturnValue:
    """Register the game and redirect to its page. An empty slug is made from the title."""
    require_write("Registering games")
    form, file = GameForm(), request.form.get("file", "")[:MAX_FILE_NAME]
    form.slug.data = (form.slug.data or "").strip() or _proposed(form.title.data or "")
    # A slug that is still empty misses the title, which is reported.
    names = ("slug", *_FIELDS) if form.slug.data else _FIELDS
    values = form.checked_values(*names)
    if form.has_errors:
        _check_slug(form)
        return _page(form, file), 422
    try:
        game = register_game(my_partner(), values.pop("slug"), values, my_actor())
    except SlugTaken:
        form.add_slug_taken()
        return _page(form, file), 422
    flash(f"{game.title} is registered")
    return redirect(url_for("game.page", slug=game.slug), 303)


def _page(form: GameForm, file: str, read: Collection[str] = ()) -> str:
    """`file`: the archive that is sent meanwhile, or "". `read`: the fields that were filled from it."""
    taken = form.slug.errors and "taken" in form.slug.errors[0]
    return render_template(
        "games/new_game.html",
        form=form,
        file=file,
        read=read,
        problem=summary_title(form, "The game is not registered yet"),
        proposal=_proposed(form.title.data or "") if taken else "",
    )


def _check_slug(form: GameForm) -> None:
    """Report a slug that is in use together with the other errors, not after they are corrected."""
    if not form.slug.errors and form.slug.data in _taken_slugs():
        form.add_slug_taken()


def _proposed(title: str) -> str:
    """An unused slug made from the title, or "" without a title."""
    if not title.strip():
        return ""
    taken, stem, number = _taken_slugs(), slug_of(title), 1
    slug = stem
    while slug in taken:
        number += 1
        slug = numbered(stem, number)
    return slug


def _taken_slugs() -> set[str]:
    return set(db.session.scalars(games_of(my_partner()).with_only_columns(Game.slug)))
