"""The user's own name, password and signed-in browsers, for members and operators."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from app.accounts import sign_ins
from app.accounts.partners import rename_member
from app.accounts.passwords import change_password
from app.data.models.partner import SignIn
from app.web.frame.browser_sign_in import sign_out_browser
from app.web.frame.current_user import current_sign_in, me, my_actor, require_sign_in
from app.web.frame.formats import Moment
from app.web.frame.forms import FORM_REFUSALS, Headers, new_password_field, show_refusal, summary_title
from app.web.settings.password_confirmation import password_field
from app.web.settings.text_fields import name_field

pages = Blueprint("profile", __name__)
pages.before_request(require_sign_in)


class NameForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    name = name_field("Name", "Enter your name")


class PasswordForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    password = password_field("Current password")
    new_password = new_password_field("New password")


@dataclass(frozen=True)
class SignInLine:
    """A signed-in browser. `current`: the one that sent this request."""

    id: str
    browser: str
    address: str
    since: Moment
    seen: Moment
    current: bool

    @classmethod
    def of(cls, found: SignIn, current: SignIn) -> SignInLine:
        since, seen = Moment(found.created_at, "day"), Moment(found.last_seen_at, "recent")
        return cls(found.id, found.browser, found.address, since, seen, found.id == current.id)


@pages.get("/profile")
def page() -> ResponseReturnValue:
    """The page."""
    return _page()


@pages.post("/profile/name")
def rename() -> ResponseReturnValue:
    """Change the name that others see."""
    form = NameForm()
    if not form.validate_on_submit():
        return _page(name=form), 422, _at_page()
    try:
        rename_member(me(), form.name.data or "", my_actor())
    except FORM_REFUSALS as refusal:
        status, headers = show_refusal(form, refusal)
        return _page(name=form), status, headers | _at_page()
    flash(f"Your name is now {me().name}")
    return redirect(url_for("profile.page"), 303)


@pages.post("/profile/password")
def change() -> ResponseReturnValue:
    """Change the password. All other browsers are signed out."""
    form = PasswordForm()
    if not form.validate_on_submit():
        return _page(password=form), 422, _at_page()
    try:
        change_password(
            me(), form.password.data or "", form.new_password.data or "", my_actor(), here=current_sign_in()
        )
    except FORM_REFUSALS as refusal:
        status, headers = show_refusal(form, refusal)
        return _page(password=form), status, headers | _at_page()
    flash("Your password is changed. Other browsers are signed out.")
    return redirect(url_for("profile.page"), 303)


@pages.post("/profile/sign-ins/<sign_in_id>/end")
def end(sign_in_id: str) -> ResponseReturnValue:
    """Sign one browser out."""
    if sign_in_id == current_sign_in().id:
        sign_out_browser()
        return redirect(url_for("sign_in.form"), 303)
    ended = sign_ins.end_one(me(), sign_in_id, my_actor())
    flash(f"{ended.browser} is signed out")
    return redirect(url_for("profile.page", _anchor="your-sign-ins"), 303)


@pages.post("/profile/sign-out")
def sign_out_everywhere() -> ResponseReturnValue:
    """Sign out all browsers, including this one."""
    sign_ins.sign_out_everywhere(me(), my_actor())
    sign_out_browser()
    return redirect(url_for("sign_in.form"), 303)


def _at_page() -> Headers:
    # A reload must show the page, and not ask to send the form again.
    return {"HX-Push-Url": url_for("profile.page")}


def _page(name: NameForm | None = None, password: PasswordForm | None = None) -> str:
    form = name or password
    what = "Your name is not changed yet" if name else "Your password is not changed yet"
    current = current_sign_in()
    return render_template(
        "settings/profile.html",
        form=form,
        problem=summary_title(form, what) if form else "",
        name=name or NameForm(formdata=None, name=me().name),
        password=password or PasswordForm(formdata=None),
        sign_ins=[SignInLine.of(found, current) for found in sign_ins.sign_ins_of(me())],
        idle_days=sign_ins.MAX_IDLE.days,
        max_days=sign_ins.MAX_AGE.days,
    )
