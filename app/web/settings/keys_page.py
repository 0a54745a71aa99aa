"""API keys, grouped by app: the list, and the form for a new key."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from app.accounts.keys import apps_of, authenticate, create_key
from app.accounts.partners import DASHBOARD_APP
from app.data.models.partner import App
from app.refusals import NotFound, Unauthorized
from app.web.frame.current_user import me, my_actor, my_partner, owner_names, require_owner, require_sign_in
from app.web.frame.forms import (
    FORM_REFUSALS,
    MarkedRequired,
    SingleUseForm,
    select_choices,
    show_refusal,
    summary_title,
)
from app.web.frame.shown_commands import base_url
from app.web.settings.confirm_question import render_question
from app.web.settings.key_rows import NewKey, app_keys
from app.web.settings.password_confirmation import confirm_my_password, password_field
from app.web.settings.text_fields import MAX_APP_NAME_LENGTH, MAX_KEY_NAME_LENGTH, length_limit, name_field

pages = Blueprint("keys", __name__)
pages.before_request(require_sign_in)

SCOPE_WORDS = {
    "read": "See games, builds and servers",
    "write": "Change games, images and components; release builds",
    "upload": "Send images and builds; builds may go live at once. slipway push needs read too",
}


# days -> words
LIFETIMES = {"": "Never", "30": "After 30 days", "90": "After 90 days", "180": "After 180 days", "365": "After 1 year"}


class KeyForm(SingleUseForm):
    app = SelectField("App", validate_choice=False)
    new_app = StringField(  # shown, and required, when no other app is chosen
        "Name of the new app", [MarkedRequired(), length_limit("An app's name", MAX_APP_NAME_LENGTH)]
    )
    name = name_field("Name", "Name the key", maximum=MAX_KEY_NAME_LENGTH)
    scopes = SelectMultipleField(
        "Scopes",
        [InputRequired("Choose at least 1 scope")],
        choices=select_choices(SCOPE_WORDS),
        validate_choice=False,  # the domain refuses other scopes, with a better message
        default=["read", "upload"],
        option_widget=CheckboxInput(),
        widget=ListWidget(prefix_label=False),
    )
    expires = SelectField("Expires", choices=select_choices(LIFETIMES), default="")
    password = password_field()

    def __init__(self, apps: Sequence[App], **values: object) -> None:
        super().__init__(**values)
        self.apps = {app.id: app for app in apps}
        self.app.choices = select_choices({app.id: app.name for app in apps} | {"": "A new app"})

    def validate_app(self, field: SelectField) -> None:
        if field.data and field.data not in self.apps:
            raise ValidationError("This app no longer exists. Choose another.")

    def validate_new_app(self, field: StringField) -> None:
        if not self.app.data and not (field.data or "").strip():
            raise ValidationError("Name the new app")

    @property
    def lifetime_days(self) -> int | None:
        return int(self.expires.data) if self.expires.data else None

    @property
    def app_name(self) -> str:
        """Name of the chosen or the new app."""
        chosen = self.apps.get(self.app.data or "")
        return chosen.name if chosen else (self.new_app.data or "").strip()


@pages.get("/settings/keys")
def page() -> ResponseReturnValue:
    """The list. Developers and viewers see it, and which owners they can ask."""
    return render_keys()


@pages.get("/settings/keys/new")
def form() -> ResponseReturnValue:
    """The form for a new key. The URL can name its app."""
    require_owner("Creating keys")
    form = _form()
    if request.args.get("app") in form.apps:
        form.app.data = request.args["app"]
    return _render_form(form)


@pages.post("/settings/keys")
def create() -> ResponseReturnValue:
    """Create a key. Its secret is stored nowhere, so this response shows it, without a redirect."""
    require_owner("Creating keys")
    form = _form()
    if not form.validate_on_submit():
        return _render_form(form), 422
    try:
        confirm_my_password(form.password.data)
        if not form.first_time():
            return already_created()
        key, secret = create_key(
            my_partner(), form.app_name, form.scopes.data or [], my_actor(), form.name.data or "", form.lifetime_days
        )
    except FORM_REFUSALS as refusal:
        form.renew()
        answer = show_refusal(form, refusal, app="app" if form.app.data else "new_app")
        return _render_form(form), *answer
    return render_keys(NewKey(key, secret))


@pages.post("/settings/keys/env")
def download() -> ResponseReturnValue:
    """A new key as a file. The page sends the secret back, because it is stored nowhere."""
    require_owner("Creating keys")
    secret = request.form.get("secret", "")
    try:
        key = authenticate(secret)
    except Unauthorized:
        raise NotFound("There is no such key.") from None
    if key.app.partner_id != my_partner().id:
        raise NotFound("There is no such key.")
    what = " ".join(f"{key.app.name}, {key.name or 'unnamed'}".split())
    text = f"# {what}: {', '.join(key.scopes)}\nSLIPWAY_URL={base_url()}\nSLIPWAY_KEY={secret}\n"
    response = Response(text, mimetype="text/plain")
    response.headers["Content-Disposition"] = 'attachment; filename="slipway.env"'
    response.headers["Cache-Control"] = "no-store"
    return response


def render_keys(new_key: NewKey | None = None) -> ResponseReturnValue:
    """Render the list, and above it the key that was just made."""
    partner = my_partner()
    apps = [app_keys(app, keys) for app, keys in apps_of(partner) if keys or app.name != DASHBOARD_APP]
    is_owner = me().role == "owner"
    page = render_template(
        "settings/keys/keys.html",
        apps=apps,
        new_key=new_key,
        is_owner=is_owner,
        owners=[] if is_owner else owner_names(partner),
    )
    # A reload must show the list, and not ask to send the form again.
    return page, ({"HX-Push-Url": url_for("keys.page")} if new_key else {})


def already_created() -> ResponseReturnValue:
    """The response to a form that is sent a second time."""
    flash("This key was already created, and is shown only once. Roll it if you have not stored it.")
    return redirect(url_for("keys.page"), 303)


def _form() -> KeyForm:
    return KeyForm([app for app, _ in apps_of(my_partner()) if app.name != DASHBOARD_APP])


def _render_form(form: KeyForm) -> str:
    return render_question(
        "settings/keys/key_new.html",
        back=url_for("keys.page"),
        form=form,
        problem=summary_title(form, "The key is not created yet"),
        scope_words=SCOPE_WORDS,
    )
