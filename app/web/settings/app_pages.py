"""Pages that add and rename apps. Keys belong to apps."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import StringField

from app.accounts.keys import app_of, create_app, rename_app
from app.web.frame.current_user import my_actor, my_partner, require_owner, require_sign_in
from app.web.frame.edit_form import EditForm
from app.web.frame.forms import FORM_REFUSALS, show_refusal, summary_title
from app.web.settings.confirm_question import render_question
from app.web.settings.text_fields import MAX_APP_NAME_LENGTH, length_limit, name_field

MAX_DESCRIPTION_LENGTH = 200

pages = Blueprint("apps", __name__)
pages.before_request(require_sign_in)


class AppForm(EditForm):
    name = name_field("Name", "Name the app", noun="An app's name", maximum=MAX_APP_NAME_LENGTH)
    description = StringField("Description", [length_limit("A description", MAX_DESCRIPTION_LENGTH)])


@pages.get("/settings/apps/new")
def form() -> ResponseReturnValue:
    """The form for a new app."""
    require_owner("Adding apps")
    return _render(AppForm(), None)


@pages.post("/settings/apps/new")
def create() -> ResponseReturnValue:
    """Add an app without keys."""
    require_owner("Adding apps")
    form = AppForm()
    if not form.validate_on_submit():
        return _render(form, None), 422
    try:
        app = create_app(my_partner(), form.name.data or "", form.description.data or "", my_actor())
    except FORM_REFUSALS as refusal:
        answer = show_refusal(form, refusal)
        return _render(form, None), *answer
    flash(f"{app.name} is added")
    return redirect(url_for("keys.page", _anchor=app.id), 303)


@pages.get("/settings/apps/<app_id>")
def rename_form(app_id: str) -> ResponseReturnValue:
    """The form with the current name and description."""
    require_owner("Renaming apps")
    app = app_of(my_partner(), app_id)
    form = AppForm(name=app.name, description=app.description)
    form.fill({"name": app.name, "description": app.description})
    return _render(form, app_id)


@pages.post("/settings/apps/<app_id>")
def rename(app_id: str) -> ResponseReturnValue:
    """Change name and description. The keys do not change."""
    require_owner("Renaming apps")
    partner, form = my_partner(), AppForm()
    stored = app_of(partner, app_id)
    if not form.validate_on_submit() or form.merge({"name": stored.name, "description": stored.description}):
        return _render(form, app_id), 422
    try:
        app = rename_app(partner, app_id, form.name.data or "", form.description.data or "", my_actor())
    except FORM_REFUSALS as refusal:
        answer = show_refusal(form, refusal)
        return _render(form, app_id), *answer
    flash(f"{app.name} is saved")
    return redirect(url_for("keys.page", _anchor=app.id), 303)


def _render(form: AppForm, app_id: str | None) -> str:
    what = "The app is not renamed yet" if app_id else "The app is not added yet"
    return render_question(
        "settings/keys/app.html",
        back=url_for("keys.page"),
        form=form,
        problem=summary_title(form, what),
        app_id=app_id,
    )
