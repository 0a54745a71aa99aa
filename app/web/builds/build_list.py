"""The builds of a game, and the settings for releasing and keeping them."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField
from wtforms.validators import NumberRange, Optional

from app.catalog.build_filters import require_page
from app.catalog.games import update_game
from app.data.models.base import now
from app.data.models.game import Game
from app.web.builds.build_rows import BUILD_SORTS
from app.web.builds.live_build_list import BUILD_FILTERS, BuildListSubject
from app.web.frame.current_user import me, my_actor, my_game, require_sign_in, require_write
from app.web.frame.formats import Moment
from app.web.frame.forms import summary_title
from app.web.games.game_header import header_context
from app.web.lists.list_address import requested_list
from app.web.live.streams import add_live_views, current_parts

pages = Blueprint("builds", __name__)
pages.before_request(require_sign_in)

_KEEP_RANGE = "Keep 1 to 1,000 builds, or leave the field empty to keep all"


class PolicyForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """Whether new builds are released, and how many old ones are kept."""

    auto_release = BooleanField("Release when ready")
    keep_builds = IntegerField("Builds to keep", [Optional(), NumberRange(1, 1000, _KEEP_RANGE)])


@pages.get("/games/<slug>/builds")
def page(slug: str) -> ResponseReturnValue:
    """One page of builds. Search, filter, order and page are in the address."""
    game = my_game(slug)
    form = PolicyForm(formdata=None, auto_release=game.auto_release, keep_builds=game.keep_builds)
    return _page(game, form)


add_live_views(pages, "/games/<slug>/builds", lambda slug: _requested_list(my_game(slug)))


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
    return redirect(_requested_list(game).address.url(), 303)


def _requested_list(game: Game) -> BuildListSubject:
    """The list of the address. Raises InvalidRequest for an unknown cursor: a stream has answered 200 before it reads a
    page."""
    address = requested_list(f"/games/{game.slug}/builds", "after", orders=BUILD_SORTS, status=BUILD_FILTERS)
    require_page(address.value("sort"), address.value("after"))
    return BuildListSubject(game.id, me().may_write, address)


def _page(game: Game, form: PolicyForm) -> str:
    subject = _requested_list(game)
    context = header_context(game)
    return render_template(
        "builds/builds.html",
        builds=current_parts(subject),
        address=subject.address,
        filters=subject.filters,
        sorts=BUILD_SORTS,
        made_at=Moment(now()),
        form=form,
        problem=summary_title(form, "The settings for builds are not saved yet"),
        **context,
    )
