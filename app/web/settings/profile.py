"""One's own name and password, and one's own sessions. Members and operators have the same."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import login_user, logout_user
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired, InputRequired, Length

from app.partners.accounts import LEAST_PASSWORD, change_password, rename_member, sign_out_everywhere
from app.web.forms import SHOWN, Headers, problem, refused
from app.web.people import me, my_actor, require_sign_in
from app.web.settings.password_again import check_again, password_field

pages = Blueprint("profile", __name__)
pages.before_request(require_sign_in)


class NameForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    name = StringField(
        "Name", [DataRequired("Enter your name"), Length(max=150, message="A name has at most 150 characters")]
    )


class PasswordForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    password = password_field("Present password")
    new = PasswordField(
        "New password",
        [
            InputRequired("Choose a new password"),
            Length(min=LEAST_PASSWORD, message=f"The new password needs at least {LEAST_PASSWORD} characters"),
            Length(max=999, message="A password has at most 999 characters"),
        ],
    )


@pages.get("/profile")
def page() -> ResponseReturnValue:
    """Name, password, sessions."""
    return _page()


@pages.post("/profile/name")
def rename() -> ResponseReturnValue:
    """The name others see."""
    form = NameForm()
    if not form.validate_on_submit():
        return _page(name=form), 422, _at_page()
    try:
        rename_member(me(), form.name.data or "", my_actor())
    except SHOWN as refusal:
        status, headers = refused(form, refusal)
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
        check_again(form.password.data)
        change_password(me(), form.password.data or "", form.new.data or "", my_actor())
    except SHOWN as refusal:
        status, headers = refused(form, refusal)
        return _page(password=form), status, headers | _at_page()
    login_user(me())  # with the new stamp
    flash("Your password is changed. Other browsers are signed out.")
    return redirect(url_for("profile.page"), 303)


@pages.post("/profile/sign-out")
def leave_everywhere() -> ResponseReturnValue:
    """End every session, this one too."""
    sign_out_everywhere(me(), my_actor())
    logout_user()
    session.clear()
    return redirect(url_for("sign_in.form"), 303)


def _at_page() -> Headers:
    # Loading the address again must show the page, and not ask whether to send a form again.
    return {"HX-Push-Url": url_for("profile.page")}


def _page(name: NameForm | None = None, password: PasswordForm | None = None) -> str:
    form = name or password
    what = "Your name is not changed yet" if name else "Your password is not changed yet"
    return render_template(
        "settings/profile.html",
        form=form,
        problem=problem(form, what) if form else "",
        name=name or NameForm(formdata=None, name=me().name),
        password=password or PasswordForm(formdata=None),
    )
