"""One's own name and password, and the browsers one is signed in on. Members and operators have the same."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from app.accounts import sign_ins
from app.accounts.partners import rename_member
from app.accounts.passwords import change_password
from app.data.models.partner import SignIn
from app.web.frame.browser_sign_in import sign_out_browser
from app.web.frame.current_user import current_sign_in, me, my_actor, require_sign_in
from app.web.frame.formats import Moment
from app.web.frame.forms import FORM_REFUSALS, Headers, new_password_field, show_refusal, summary_title
from app.web.settings.password_again import password_field

pages = Blueprint("profile", __name__)
pages.before_request(require_sign_in)


class NameForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    name = StringField(
        "Name", [DataRequired("Enter your name"), Length(max=150, message="A name has at most 150 characters")]
    )


class PasswordForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    password = password_field("Present password")
    new = new_password_field("New password")


@dataclass(frozen=True)
class SignInLine:
    """A browser that is signed in. `here`: the one that asks."""

    id: str
    browser: str
    address: str
    since: Moment
    seen: Moment
    here: bool

    @classmethod
    def of(cls, found: SignIn, here: SignIn) -> SignInLine:
        since, seen = Moment(found.created_at, "day"), Moment(found.last_seen_at, "recent")
        return cls(found.id, found.browser, found.address, since, seen, found.id == here.id)


@pages.get("/profile")
def page() -> ResponseReturnValue:
    """Name, password, browsers."""
    return _page()


@pages.post("/profile/name")
def rename() -> ResponseReturnValue:
    """The name others see."""
    form = NameForm()
    if not form.validate_on_submit():
        return _page(name=form), 422, _at_page()
    try:
        rename_member(me(), form.name.data or "", my_actor())
    except FORM_REFUSALS as refusal:
        status, headers = show_refusal(form, refusal)
        return _page(name=form), status, headers | _at_page()
    flash(f"Your name is {me().name} now")
    return redirect(url_for("profile.page"), 303)


@pages.post("/profile/password")
def change() -> ResponseReturnValue:
    """A new password: every other browser is signed out, this one stays."""
    form = PasswordForm()
    if not form.validate_on_submit():
        return _page(password=form), 422, _at_page()
    try:
        change_password(me(), form.password.data or "", form.new.data or "", my_actor(), here=current_sign_in())
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
def leave_everywhere() -> ResponseReturnValue:
    """End every sign-in, this one too."""
    sign_ins.sign_out_everywhere(me(), my_actor())
    sign_out_browser()
    return redirect(url_for("sign_in.form"), 303)


def _at_page() -> Headers:
    # Loading the address again must show the page, and not ask whether to send a form again.
    return {"HX-Push-Url": url_for("profile.page")}


def _page(name: NameForm | None = None, password: PasswordForm | None = None) -> str:
    form = name or password
    what = "Your name is not changed yet" if name else "Your password is not changed yet"
    here = current_sign_in()
    return render_template(
        "settings/profile.html",
        form=form,
        problem=summary_title(form, what) if form else "",
        name=name or NameForm(formdata=None, name=me().name),
        password=password or PasswordForm(formdata=None),
        sign_ins=[SignInLine.of(found, here) for found in sign_ins.sign_ins_of(me())],
        idle_days=sign_ins.MAX_IDLE.days,
        most_days=sign_ins.MAX_AGE.days,
    )
