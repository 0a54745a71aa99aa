"""Releasing a build, or rolling back to one: asked about first, with what each server will fetch."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import HiddenField

from app.catalog.build_list import find_build
from app.catalog.releasing import make_release
from app.data.models.game import Game
from app.fleet.release_preview import preview
from app.fleet.rollout import matrix
from app.web.builds.release_words import question_words
from app.web.frame.current_user import my_actor, my_game, require_sign_in, require_write
from app.web.frame.forms import problem
from app.web.frame.toasts import flash_with_question
from app.web.games.game_header import head
from app.web.settings.confirm_question import ask

pages = Blueprint("releases", __name__)
pages.before_request(require_sign_in)


class ReleaseForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """`live`: the build that was live when the question was shown."""

    live = HiddenField()


@pages.get("/games/<slug>/builds/<int:number>/release")
def question(slug: str, number: int) -> ResponseReturnValue:
    """What would change: from which build to which, and what every server fetches for it."""
    game = my_game(slug)
    require_write("Releasing builds")
    return _ask(game, number, ReleaseForm(formdata=None))


@pages.post("/games/<slug>/builds/<int:number>/release")
def release(slug: str, number: int) -> ResponseReturnValue:
    """Make it live, unless something else went live since the question was read."""
    game = my_game(slug)
    require_write("Releasing builds")
    form = ReleaseForm()
    before = preview(game, find_build(game, str(number))).live
    if form.live.data != str(before or ""):
        went = f"Build {before} went live" if before else "What was live was deleted"
        form.form_errors.append(f"{went} since you opened this question. Look at what changes now, then decide again.")
        return _ask(game, number, ReleaseForm(formdata=None), form), 422
    made = make_release(game, number, my_actor())
    if not made.made:
        flash(f"Build {number} is live already")
    elif before is None:
        flash(f"Build {number} is live")
    else:
        back = url_for("releases.question", slug=slug, number=before)
        label = f"Roll back to {before}" if before < number else f"Release {before}"
        flash_with_question(f"Build {number} is live", label, back)
    return redirect(url_for("game.page", slug=slug), 303)


def _ask(game: Game, number: int, form: ReleaseForm, refused: ReleaseForm | None = None) -> str:
    found = preview(game, find_build(game, str(number)))
    words = question_words(game, found, matrix(game))
    form.live.data = str(found.live or "")
    if refused:
        form.form_errors.extend(refused.form_errors)
    return ask(
        "builds/release.html",
        back=url_for("game.page", slug=game.slug),
        of="games",
        words=words,
        number=number,
        form=form,
        problem=problem(form, "Nothing was released yet"),
        **head(game),
    )
