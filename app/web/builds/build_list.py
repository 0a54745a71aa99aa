"""The builds of a game, and the settings for releasing and keeping them."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField
from wtforms.validators import NumberRange, Optional

from app.catalog.games import update_game
from app.data.models.game import Game
from app.web.builds.build_rows import BUILDS_PER_PAGE, count_note, list_build_lines
from app.web.frame.current_user import my_actor, my_game, require_sign_in, require_write
from app.web.frame.forms import summary_title
from app.web.frame.query_parameters import query_number
from app.web.games.game_header import header_context

pages = Blueprint("builds", __name__)
pages.before_request(require_sign_in)

_KEEP_RANGE = "Keep 1 to 1,000 builds, or leave the field empty to keep all"


class PolicyForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """Whether new builds are released, and how many old ones are kept."""

    auto_release = BooleanField("Release when ready")
    keep_builds = IntegerField("Builds to keep", [Optional(), NumberRange(1, 1000, _KEEP_RANGE)])


@pages.get("/games/<slug>/builds")
def page(slug: str) -> ResponseReturnValue:
    """One page of builds, newest first."""
    game = my_game(slug)
    form = PolicyForm(formdata=None, auto_release=game.auto_release, keep_builds=game.keep_builds)
    return _page(game, form)


@pages.post("/games/<slug>/builds")
def change(slug: str) -> ResponseReturnValue:
    """Store the settings."""
    game = my_game(slug)
    require_write("Changing how builds are kept")
    form = PolicyForm()
    if not form.validate():
        if form.keep_builds.process_errors:
            form.keep_builds.errors = [_KEEP_RANGE]
        return _page(game, form), 422
    values = {"auto_release": form.auto_release.data, "keep_builds": form.keep_builds.data}
    changes = {name: value for name, value in values.items() if getattr(game, name) != value}
    if changes:
        update_game(game, changes, my_actor())
    flash("The settings for builds are saved" if changes else "There was nothing to save")
    return redirect(url_for("builds.page", slug=slug), 303)


def _page(game: Game, form: PolicyForm) -> str:
    before = query_number("before")
    found = list_build_lines(game, BUILDS_PER_PAGE, before)
    return render_template(
        "builds/builds.html",
        builds=found,
        note=count_note(found),
        newest=url_for("builds.page", slug=game.slug) if before else "",
        older=url_for("builds.page", slug=game.slug, before=found.older) if found.older else "",
        form=form,
        problem=summary_title(form, "The settings for builds are not saved yet"),
        **header_context(game),
    )
