"""API keys, grouped by the app they are for: the list, and making one."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from app.accounts.keys import apps_of, authenticate, create_key
from app.accounts.partners import DASHBOARD_APP
from app.data.models.partner import App
from app.refusals import NotFound, Unauthorized
from app.web.frame.current_user import me, my_actor, my_partner, owner_names, require_owner, require_sign_in
from app.web.frame.forms import FORM_REFUSALS, SingleUseForm, select_choices, show_refusal, summary_title
from app.web.frame.shown_commands import base_url
from app.web.settings.confirm_question import ask
from app.web.settings.key_rows import Made, app_keys
from app.web.settings.password_again import check_again, password_field

pages = Blueprint("keys", __name__)
pages.before_request(require_sign_in)

SCOPE_WORDS = {
    "read": "See games, builds and where they are",
    "write": "Register and change games, images and components",
    "upload": "Send builds",
}


class KeyForm(SingleUseForm):
    """Which app, what for, what it may do."""

    app = SelectField("App", validate_choice=False)
    new_app = StringField("Name of the new app", [Length(max=100, message="An app's name has at most 100 characters")])
    name = StringField(
        "Name", [DataRequired("Name the key"), Length(max=100, message="A name has at most 100 characters")]
    )
    scopes = SelectMultipleField(
        "Scopes",
        [InputRequired("Choose at least 1 scope")],
        choices=select_choices(SCOPE_WORDS),
        validate_choice=False,  # the domain refuses others, in better words
        default=["read", "upload"],
        option_widget=CheckboxInput(),
        widget=ListWidget(prefix_label=False),
    )
    password = password_field()

    def __init__(self, apps: Sequence[App], **values: object) -> None:
        super().__init__(**values)
        self.apps = {app.id: app for app in apps}
        self.app.choices = select_choices({app.id: app.name for app in apps} | {"": "A new app"})

    def validate_app(self, field: SelectField) -> None:
        if field.data and field.data not in self.apps:
            raise ValidationError("This app is not there any more: choose another")

    def validate_new_app(self, field: StringField) -> None:
        if not self.app.data and not (field.data or "").strip():
            raise ValidationError("Name the new app")

    @property
    def app_name(self) -> str:
        """The chosen app's name, or the new one's."""
        chosen = self.apps.get(self.app.data or "")
        return chosen.name if chosen else (self.new_app.data or "").strip()


@pages.get("/settings/keys")
def page() -> ResponseReturnValue:
    """The list. Developers and viewers see it and whom to ask."""
    return show()


@pages.get("/settings/keys/new")
def form() -> ResponseReturnValue:
    """What to make; the app can stand in the address."""
    require_owner("Making keys")
    form = _form()
    if request.args.get("app") in form.apps:
        form.app.data = request.args["app"]
    return _ask(form)


@pages.post("/settings/keys")
def create() -> ResponseReturnValue:
    """Make a key. Its text is in the answer itself: it is stored nowhere, so no redirect can bring it."""
    require_owner("Making keys")
    form = _form()
    if not form.validate_on_submit():
        return _ask(form), 422
    try:
        check_again(form.password.data)
        if not form.first_time():
            return made_already()
        key, secret = create_key(my_partner(), form.app_name, form.scopes.data or [], my_actor(), form.name.data or "")
    except FORM_REFUSALS as refusal:
        form.renew()
        answer = show_refusal(form, refusal, app="app" if form.app.data else "new_app")
        return _ask(form), *answer
    return show(Made(key, secret))


@pages.post("/settings/keys/env")
def download() -> ResponseReturnValue:
    """The key that a page has just shown, as a file. The page sends it back: it is stored nowhere."""
    require_owner("Making keys")
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


def show(made: Made | None = None) -> ResponseReturnValue:
    """The list, and above it the key that was just made."""
    partner = my_partner()
    apps = [app_keys(app, keys) for app, keys in apps_of(partner) if keys or app.name != DASHBOARD_APP]
    is_owner = me().role == "owner"
    page = render_template(
        "settings/keys.html",
        apps=apps,
        made=made,
        is_owner=is_owner,
        owners=[] if is_owner else owner_names(partner),
    )
    # Loading the address again must show the list, and not ask whether to send the form again.
    return page, ({"HX-Push-Url": url_for("keys.page")} if made else {})


def made_already() -> ResponseReturnValue:
    """What a form gets that was answered before."""
    flash("This key was made a moment ago. It is shown only once: roll it if it was not stored.")
    return redirect(url_for("keys.page"), 303)


def _form() -> KeyForm:
    return KeyForm([app for app, _ in apps_of(my_partner()) if app.name != DASHBOARD_APP])


def _ask(form: KeyForm) -> str:
    return ask(
        "settings/key_new.html",
        back=url_for("keys.page"),
        form=form,
        problem=summary_title(form, "The key is not made yet"),
        scope_words=SCOPE_WORDS,
    )
