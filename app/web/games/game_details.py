"""A game's details: the form that changes them, and the game's deletion."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import StringField

from app.catalog.games import delete_game, update_game
from app.data.models.game import Game
from app.fleet.play_sessions import running_sessions
from app.images.game_pictures import pictures_of, replace_pictures_by_links
from app.web.frame.current_user import me, my_actor, my_game, require_sign_in, require_write
from app.web.frame.formats import counted
from app.web.frame.forms import MarkedRequired, summary_title
from app.web.frame.image_tags import picture
from app.web.games.game_form import GameForm
from app.web.games.game_header import header_context

SCREENSHOT_BOX = (160, 90)

pages = Blueprint("details", __name__)
pages.before_request(require_sign_in)


class DeletionForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The member types the slug, so that no game is deleted by accident."""

    typed = StringField("Slug of the game", [MarkedRequired()])


@pages.get("/games/<slug>/details")
def page(slug: str) -> ResponseReturnValue:
    """The form with the current values; viewers see a list of facts."""
    game = my_game(slug)
    return _page(game, GameForm.of(game), DeletionForm())


@pages.post("/games/<slug>/details")
def change(slug: str) -> ResponseReturnValue:
    """Store the changed fields."""
    game = my_game(slug)
    require_write("Changing games")
    form = GameForm()
    changes = form.changes(game)
    if form.has_errors:
        return _page(game, form, DeletionForm(formdata=None)), 422
    if changes:
        update_game(game, changes, my_actor())
        replace_pictures_by_links(game, changes, request.url_root, my_actor())
    flash("The details are saved" if changes else "There was nothing to save")
    return redirect(url_for("details.page", slug=slug), 303)


@pages.post("/games/<slug>/deletion")
def delete(slug: str) -> ResponseReturnValue:
    """Delete the game if its slug was typed."""
    game = my_game(slug)
    require_write("Deleting games")
    deletion = DeletionForm()
    if (deletion.typed.data or "").strip() != game.slug:
        message = f"Type {game.slug} to delete it. You entered {deletion.typed.data or 'nothing'}"
        deletion.typed.errors = [*deletion.typed.errors, message]
        return _page(game, GameForm.of(game), deletion), 422
    title = game.title
    delete_game(game, my_actor())
    flash(f"{title} is deleted")
    return redirect(url_for("games.index"), 303)


def _page(game: Game, form: GameForm, deletion: DeletionForm) -> str:
    sessions = running_sessions(game.id)
    return render_template(
        "games/game_details.html",
        form=form,
        deletion=deletion,
        problem=summary_title(form, "The details are not saved yet")
        or summary_title(deletion, "The game is not deleted"),
        wrong=deletion if deletion.typed.errors else form,
        may_write=me().may_write,
        screenshots=[picture(image, *SCREENSHOT_BOX) for image in pictures_of([game.id])[game.id].screenshots],
        sessions=counted(sessions, "session") if sessions else "",
        **header_context(game),
    )
