"""The form that adds or changes a component: name, kind, key, size and parent."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import FloatField, SelectField, StringField
from wtforms.validators import DataRequired, Length, NumberRange, Optional

from app.accounts.partners import dashboard_app_id
from app.components.component_kinds import PARENTS
from app.components.component_views import ShownComponent, list_components
from app.components.components import SavedComponent, component_of_draft, save_components
from app.components.revisions import draft_of
from app.components.sides import offered_sides
from app.components.wanted_component import WantedComponent
from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.game import Game
from app.refusals import InvalidRequest, Refusal
from app.web.components.board_filters import board_url, requested_board
from app.web.components.component_words import KINDS, kind_name
from app.web.components.side_picker import flash_first_side
from app.web.frame.current_user import my_actor, my_game, require_sign_in, require_write
from app.web.frame.dialogs import in_dialog
from app.web.frame.edit_form import EditForm
from app.web.frame.formats import upper_first
from app.web.frame.forms import FORM_REFUSALS, one_line, select_choices, show_refusal, summary_title
from app.web.games.game_header import header_context

pages = Blueprint("component_form", __name__)
pages.before_request(require_sign_in)

_SIZE = [Optional(), NumberRange(0.001, 1_000_000, "Enter millimetres, more than 0")]
_SHORT = Length(max=256, message="Use at most 256 characters")
_FORM_NAMES = {"externalKey": "external_key", "parentExternalKey": "parent", "kind": "kind"}


class Millimetres(FloatField):
    """A length with a decimal point or a decimal comma."""

    def process_formdata(self, valuelist: list[str]) -> None:
        text = (valuelist[0] if valuelist else "").strip().replace(",", ".")
        try:
            self.data = float(text) if text else None
        except ValueError:
            self.data = None
            raise ValueError(f"Enter a number of millimetres, such as 63.5. You entered {text}") from None


class ComponentForm(EditForm):
    """One component of the draft."""

    kind = SelectField("Kind", choices=select_choices({kind: kind_name(kind) for kind in KINDS}))
    name = StringField("Name", [DataRequired("Enter a name"), _SHORT, one_line])
    external_key = StringField("External key", [DataRequired("Enter a key"), _SHORT, one_line])
    parent = SelectField("Part of")
    width_mm = Millimetres("Width in mm", _SIZE)
    height_mm = Millimetres("Height in mm", _SIZE)

    def wanted(self, kind: str, external_key: str, *, new: bool) -> WantedComponent:
        """The upsert of the component."""
        fields = {
            "width_mm": self.width_mm.data,
            "height_mm": self.height_mm.data,
            "parent_external_key": self.parent.data or None,
        }
        return WantedComponent(kind, (self.name.data or "").strip(), external_key, fields, {}, new=new)


@pages.get("/games/<slug>/components/new")
def new(slug: str) -> ResponseReturnValue:
    """The empty form."""
    game = my_game(slug)
    require_write("Adding components")
    parent = request.args.get("parent", "")
    return _show(game, _form(game, data={"kind": "card" if parent else "tile", "parent": parent}), None)


@pages.post("/games/<slug>/components")
def add(slug: str) -> ResponseReturnValue:
    """Add a component to the draft."""
    game = _writable(slug, "Adding components")
    form = _form(game)
    return _save(game, form, None)


@pages.get("/games/<slug>/components/<component_id>/details")
def edit(slug: str, component_id: str) -> ResponseReturnValue:
    """The form with the current values."""
    game = my_game(slug)
    require_write("Changing components")
    component = component_of_draft(game, component_id)
    stored = _stored(component)
    form = _form(game, data={"kind": component.kind, "external_key": component.external_key, **stored})
    form.fill(stored)
    return _show(game, form, component)


@pages.post("/games/<slug>/components/<component_id>/details")
def change(slug: str, component_id: str) -> ResponseReturnValue:
    """Store the changed fields. Kind and key cannot change."""
    game = _writable(slug, "Changing components")
    component = component_of_draft(game, component_id)
    form = _form(game)
    form.kind.data, form.external_key.data = component.kind, component.external_key
    return _save(game, form, component)


def _stored(component: ShownComponent) -> dict[str, Any]:
    """The values that the form changes, as data of its fields."""
    return {
        "name": component.name,
        "parent": component.parent_external_key or "",
        "width_mm": component.width_mm,
        "height_mm": component.height_mm,
    }


def _writable(slug: str, what: str) -> Game:
    game_id = my_game(slug).id
    require_write(what)
    free_connection()  # the member stays readable after a rollback
    return db.session.get_one(Game, game_id)


def _save(game: Game, form: ComponentForm, component: ShownComponent | None) -> ResponseReturnValue:
    slug, game_id = game.slug, game.id
    if not form.validate() or (component and form.merge(_stored(component))):
        return _show(game, form, component), 422
    kind, key = form.kind.data, (form.external_key.data or "").strip()
    wanted = form.wanted(kind, key, new=component is None)
    try:
        (saved,) = save_components(game, dashboard_app_id(game.partner_id), [wanted], my_actor())
    except FORM_REFUSALS as refusal:
        status, headers = show_refusal(form, _in_words(refusal), **_FORM_NAMES)
        return _show(db.session.get_one(Game, game_id), form, component), status, headers
    _flash_saved(slug, saved)
    return redirect(board_url(slug, saved.component.id), 303)


def _flash_saved(slug: str, saved: SavedComponent) -> None:
    """A new component has no image yet: its toast opens the picker of its first side."""
    component = saved.component
    message = f"{component.name} is {'added' if saved.created else 'saved'}"
    if saved.created and offered_sides(component):
        flash_first_side(slug, component, message)
    else:
        flash(message)


def _in_words(refusal: Refusal) -> Refusal:
    """The refusal without the API's name of the field, which has another name in the form."""
    fields = getattr(refusal, "fields", {})
    why = fields.get("parentExternalKey")
    return InvalidRequest(upper_first(why), fields) if why else refusal


def _form(game: Game, **filled: Any) -> ComponentForm:
    form = ComponentForm(**filled)
    fitting = {kind for kinds in PARENTS.values() for kind in kinds}
    parents = [component for component in list_components(draft_of(game.id)).components if component.kind in fitting]
    labels = {
        component.external_key: f"{component.name} ({kind_name(component.kind).lower()})" for component in parents
    }
    form.parent.choices = select_choices({"": "None"} | labels)
    return form


def _show(game: Game, form: ComponentForm, component: ShownComponent | None) -> str:
    slug = game.slug
    kept = requested_board(slug).kept
    to = url_for("component_form.add", slug=slug, **kept)
    if component:
        to = url_for("component_form.change", slug=slug, component_id=component.id, **kept)
    shown = {
        "slug": slug,
        "form": form,
        "component": component,
        "to": to,
        "problem": summary_title(form, "The component is not saved yet"),
        "back": board_url(slug),
    }
    if in_dialog():
        return render_template("components/component_form.html", layout="images/in_dialog.html", **shown)
    return render_template(
        "components/component_form.html", layout="components/in_page.html", **shown, **header_context(game)
    )
