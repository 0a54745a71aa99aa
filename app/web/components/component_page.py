"""One component: its sides, size and parent; a page, or a dialog of the board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectField

from app.components.component_views import ShownComponent
from app.components.components import component_of, component_of_draft, delete_component
from app.components.revisions import revision_of
from app.components.sides import offered_sides, put_on_side
from app.data.models.game import Game
from app.refusals import InvalidRequest
from app.web.components.board_filters import board_url, requested_board
from app.web.components.component_cards import faces
from app.web.components.component_words import kind_name, millimetres, side_name
from app.web.components.side_picker import side_picker_url
from app.web.frame.current_user import me, my_actor, my_game, require_sign_in, require_write
from app.web.frame.dialogs import in_dialog
from app.web.frame.formats import Copyable, Fact, Moment
from app.web.frame.forms import select_choices
from app.web.frame.query_parameters import query_number
from app.web.games.game_header import header_context

pages = Blueprint("component", __name__)
pages.before_request(require_sign_in)

FACES_BOX = (440.0, 300.0)


class SideForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The side to clear."""

    side = SelectField("Side")


@dataclass(frozen=True)
class SideLine:
    """One side of a component. `asset_url`: the page of its image, or ""."""

    key: str
    name: str
    asset_url: str
    picker_url: str


@pages.get("/games/<slug>/components/<component_id>")
def page(slug: str, component_id: str) -> ResponseReturnValue:
    """The component in the draft, or in the revision of the address."""
    game = my_game(slug)
    return _show(game, _component(game, component_id))


@pages.post("/games/<slug>/components/<component_id>/sides/deletion")
def clear_side(slug: str, component_id: str) -> ResponseReturnValue:
    """Take the image off a side. The picker sets one (app/web/images/image_picker.py)."""
    game = my_game(slug)
    require_write("Changing components")
    component, form = component_of_draft(game, component_id), SideForm()
    form.side.choices = select_choices({side: side_name(side) for side in offered_sides(component)})
    if not form.validate_on_submit():
        raise InvalidRequest(f"Choose one of the sides of {component.name}.")
    put_on_side(game, component_id, form.side.data, None, my_actor())
    flash(f"{component.name}: {side_name(form.side.data)} has no image")
    return redirect(board_url(slug, component_id), 303)


@pages.post("/games/<slug>/components/<component_id>/deletion")
def delete(slug: str, component_id: str) -> ResponseReturnValue:
    """Delete the component and its contents from the draft."""
    game = my_game(slug)
    require_write("Deleting components")
    name = component_of_draft(game, component_id).name
    delete_component(game, component_id, my_actor())
    flash(f"{name} is deleted from the draft. Its images are kept")
    return redirect(board_url(slug), 303)


def _component(game: Game, component_id: str) -> ShownComponent:
    number = query_number("revision")
    revision = revision_of(game.id, number)
    return component_of(revision.id if revision else None, component_id)


def _side_lines(slug: str, component: ShownComponent, sides: Sequence[str]) -> list[SideLine]:
    lines = []
    for side in sides:
        image = component.faces.get(side)
        asset_url = url_for("asset.page", slug=slug, asset_id=image.asset_id) if image else ""
        lines.append(SideLine(side, side_name(side), asset_url, side_picker_url(slug, component.id, side)))
    return lines


def _show(game: Game, component: ShownComponent) -> str:
    finalized = query_number("revision")
    may_write = me().may_write and not finalized
    shown: dict[str, Any] = {
        "slug": game.slug,
        "component": component,
        "faces": faces(component, [], [], *FACES_BOX),
        "facts": _facts(component),
        "sides": _side_lines(game.slug, component, offered_sides(component) if may_write else list(component.faces)),
        "may_write": may_write,
        "filters": requested_board(game.slug).kept,
        "back": board_url(game.slug),
    }
    if in_dialog():
        return render_template("components/component.html", layout="images/in_dialog.html", **shown)
    return render_template(
        "components/component.html", layout="components/in_page.html", **shown, **header_context(game)
    )


def _facts(component: ShownComponent) -> list[Fact]:
    facts: list[Fact] = [
        ("Kind", (kind_name(component.kind),)),
        ("External key", Copyable(component.external_key, "external key")),
    ]
    if component.parent_external_key:
        facts.append(("Part of", (f"{kind_name(component.parent_kind or '')} {component.parent_external_key}",)))
    if millimetres(component):
        facts.append(("Size", (millimetres(component),)))
    return [*facts, ("Changed", (Moment(component.updated_at),))]
