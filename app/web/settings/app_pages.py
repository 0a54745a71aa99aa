"""Apps, which keys are for: adding one, renaming one."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from app.accounts.keys import app_of, create_app, rename_app
from app.web.frame.current_user import my_actor, my_partner, require_owner, require_sign_in
from app.web.frame.forms import FORM_REFUSALS, show_refusal, summary_title
from app.web.settings.confirm_question import ask

pages = Blueprint("apps", __name__)
pages.before_request(require_sign_in)


class AppForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    name = StringField(
        "Name", [DataRequired("Name the app"), Length(max=100, message="An app's name has at most 100 characters")]
    )
    description = StringField("Description", [Length(max=200, message="A description has at most 200 characters")])


@pages.get("/settings/apps/new")
def form() -> ResponseReturnValue:
    """A name and what it is."""
    require_owner("Adding apps")
    return _ask(AppForm(), None)


@pages.post("/settings/apps/new")
def create() -> ResponseReturnValue:
    """Add an app; its first key is made after that."""
    require_owner("Adding apps")
    form = AppForm()
    if not form.validate_on_submit():
        return _ask(form, None), 422
    try:
        app = create_app(my_partner(), form.name.data or "", form.description.data or "", my_actor())
    except FORM_REFUSALS as refusal:
        answer = show_refusal(form, refusal)
        return _ask(form, None), *answer
    flash(f"{app.name} is added")
    return redirect(url_for("keys.page", _anchor=app.id), 303)


@pages.get("/settings/apps/<app_id>")
def rename_form(app_id: str) -> ResponseReturnValue:
    """Its name and description as they are."""
    require_owner("Renaming apps")
    app = app_of(my_partner(), app_id)
    return _ask(AppForm(name=app.name, description=app.description), app_id)


@pages.post("/settings/apps/<app_id>")
def rename(app_id: str) -> ResponseReturnValue:
    """Change both; its keys stay as they are."""
    require_owner("Renaming apps")
    partner, form = my_partner(), AppForm()
    app_of(partner, app_id)
    if not form.validate_on_submit():
        return _ask(form, app_id), 422
    try:
        app = rename_app(partner, app_id, form.name.data or "", form.description.data or "", my_actor())
    except FORM_REFUSALS as refusal:
        answer = show_refusal(form, refusal)
        return _ask(form, app_id), *answer
    flash(f"{app.name} is saved")
    return redirect(url_for("keys.page", _anchor=app.id), 303)


def _ask(form: AppForm, app_id: str | None) -> str:
    what = "The app is not renamed yet" if app_id else "The app is not added yet"
    return ask(
        "settings/app.html",
        back=url_for("keys.page"),
        form=form,
        problem=summary_title(form, what),
        app_id=app_id,
    )
