"""One component: its sides, size and parent; a page, or a dialog of the board."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField

from app.components.component_views import ShownComponent
from app.components.components import component_of, component_of_draft, delete_component
from app.components.revisions import revision_of
from app.components.sides import MAX_SIDE_LENGTH, put_on_side
from app.data.models.game import Game
from app.images.gallery import GalleryFilter, gallery
from app.refusals import InvalidRequest
from app.web.components.component_cards import faces
from app.web.components.component_words import kind_name, millimetres
from app.web.frame.current_user import me, my_actor, my_game, require_sign_in, require_write
from app.web.frame.dialogs import in_dialog
from app.web.frame.formats import Moment, Phrase
from app.web.frame.forms import select_choices, show_refusal, summary_title
from app.web.frame.query_parameters import query_number
from app.web.games.game_header import header_context

pages = Blueprint("component", __name__)
pages.before_request(require_sign_in)

FACES_BOX = (440.0, 300.0)
MAX_OFFERED_IMAGES = 200  # in the list of images, newest first


class SideForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The image for a side; "" clears the side."""

    side = StringField("Side")
    asset = SelectField("Image")


@pages.get("/games/<slug>/components/<component_id>")
def page(slug: str, component_id: str) -> ResponseReturnValue:
    """The component in the draft, or in the revision of the address."""
    game = my_game(slug)
    return _show(game, _component(game, component_id), _side_form(game))


@pages.post("/games/<slug>/components/<component_id>/sides")
def side(slug: str, component_id: str) -> ResponseReturnValue:
    """Set or clear the image of a side."""
    game = my_game(slug)
    require_write("Changing components")
    component, form = component_of_draft(game, component_id), _side_form(game)
    try:
        if not form.validate_on_submit():
            raise InvalidRequest("Choose an image from the list", {"asset": "not in the list"})
        put_on_side(game, component_id, form.side.data or "", form.asset.data or None, my_actor())
    except InvalidRequest as refusal:
        form.asset.errors = []
        status, headers = show_refusal(form, refusal)
        return _show(game, component, form), status, headers
    flash(f"{component.name}: {form.side.data} is {'changed' if form.asset.data else 'empty'}")
    return redirect(url_for("components.page", slug=slug, _anchor=f"c-{component_id}"), 303)


@pages.post("/games/<slug>/components/<component_id>/deletion")
def delete(slug: str, component_id: str) -> ResponseReturnValue:
    """Delete the component and its contents from the draft."""
    game = my_game(slug)
    require_write("Deleting components")
    name = component_of_draft(game, component_id).name
    delete_component(game, component_id, my_actor())
    flash(f"{name} is deleted from the draft. Its images are kept")
    return redirect(url_for("components.page", slug=slug), 303)


def _component(game: Game, component_id: str) -> ShownComponent:
    number = query_number("revision")
    revision = revision_of(game.id, number)
    return component_of(revision.id if revision else None, component_id)


def _side_form(game: Game) -> SideForm:
    form = SideForm()
    newest = gallery(game, GalleryFilter(limit=MAX_OFFERED_IMAGES)).images
    labels = {"": "No image"} | {tile.image.asset_id: tile.file_name for tile in newest}
    form.asset.choices = select_choices(labels)
    return form


def _show(game: Game, component: ShownComponent, form: SideForm) -> str:
    finalized = query_number("revision")
    shown: dict[str, Any] = {
        "slug": game.slug,
        "component": component,
        "faces": faces(component, [], [], *FACES_BOX),
        "facts": _facts(component),
        "form": form,
        "sides": sorted({"front", "back", *component.faces}),
        "longest": MAX_SIDE_LENGTH,
        "problem": summary_title(form, "The side is not changed"),
        "may_write": me().may_write and not finalized,
        "back": url_for("components.page", slug=game.slug, revision=finalized or None),
    }
    if in_dialog():
        return render_template("components/component.html", layout="images/in_dialog.html", **shown)
    return render_template(
        "components/component.html", layout="components/in_page.html", **shown, **header_context(game)
    )


def _facts(component: ShownComponent) -> list[tuple[str, Phrase]]:
    facts: list[tuple[str, Phrase]] = [
        ("Kind", (kind_name(component.kind),)),
        ("External key", (component.external_key,)),
    ]
    if component.parent_external_key:
        facts.append(("Part of", (f"{kind_name(component.parent_kind or '')} {component.parent_external_key}",)))
    if millimetres(component):
        facts.append(("Size", (millimetres(component),)))
    return [*facts, ("Changed", (Moment(component.updated_at),))]
