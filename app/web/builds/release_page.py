"""Releasing a build or rolling back to one: the question, with what each server will fetch, and the release."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import HiddenField

from app.catalog.build_list import find_build
from app.catalog.releasing import make_release
from app.data.models.game import Game
from app.fleet.release_preview import preview
from app.web.builds.build_rows import way_back_label
from app.web.builds.release_words import question_words
from app.web.frame.current_user import local_address, my_actor, my_game, require_sign_in, require_write
from app.web.frame.forms import summary_title
from app.web.frame.toasts import flash_with_question
from app.web.games.game_header import header_context
from app.web.lists.list_address import ListAddress
from app.web.servers.server_pages import requested_page
from app.web.settings.confirm_question import render_question

pages = Blueprint("releases", __name__)
pages.before_request(require_sign_in)


class ReleaseForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """`live`: the build that was live when the question was shown."""

    live = HiddenField()


@pages.get("/games/<slug>/builds/<int:number>/release")
def question(slug: str, number: int) -> ResponseReturnValue:
    """The question: which build is replaced, and what each server fetches."""
    game = my_game(slug)
    require_write("Releasing builds")
    return _ask(game, number, ReleaseForm(formdata=None))


@pages.post("/games/<slug>/builds/<int:number>/release")
def release(slug: str, number: int) -> ResponseReturnValue:
    """Make the build live unless another build went live since the question was shown."""
    game = my_game(slug)
    require_write("Releasing builds")
    form = ReleaseForm()
    before = preview(game, find_build(game, str(number))).live
    if form.live.data != str(before or ""):
        change = f"Build {before} went live" if before else "The live build was deleted"
        form.form_errors.append(f"{change} since you opened this question. Check what changes now, then decide again.")
        return _ask(game, number, ReleaseForm(formdata=None), form), 422
    made = make_release(game, number, my_actor())
    if not made.made:
        flash(f"Build {number} is live already")
    elif before is None:
        flash(f"Build {number} went live")
    else:
        back = url_for("releases.question", slug=slug, number=before)
        flash_with_question(f"Build {number} went live", way_back_label(before, number), back)
    return redirect(_next_address(game), 303)


def _next_address(game: Game) -> str:
    """The list that the question was opened from, or the game's page."""
    return local_address(request.values.get("next"), url_for("game.page", slug=game.slug))


def _ask(game: Game, number: int, form: ReleaseForm, refused: ReleaseForm | None = None) -> str:
    found = preview(game, find_build(game, str(number)), measure=True)
    address = ListAddress(url_for("releases.question", slug=game.slug, number=number))
    address = address.with_values(next=request.values.get("next")).numbered_page(requested_page())
    words = question_words(game, found, address)
    form.live.data = str(found.live or "")
    if refused:
        form.form_errors.extend(refused.form_errors)
    return render_question(
        "builds/release.html",
        back=_next_address(game),
        area="games",
        words=words,
        number=number,
        form=form,
        problem=summary_title(form, "Nothing was released yet"),
        **header_context(game),
    )
