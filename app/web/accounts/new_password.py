"""The page that a link for a new password opens: the account, and the form with one field."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from app.accounts.password_links import password_link_of, set_password
from app.data.models.partner import PasswordLink
from app.refusals import NotFound
from app.web.frame.browser_sign_in import closed_link_page, sign_in_browser
from app.web.frame.formats import Moment
from app.web.frame.forms import FORM_REFUSALS, new_password_field, show_refusal, summary_title
from app.web.frame.shown_commands import base_url

pages = Blueprint("new_password", __name__)

CLOSED_HEADING = "This link no longer works"


class NewPasswordForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    password = new_password_field("New password")


@dataclass(frozen=True)
class NewPasswordLink:
    """A link that was just created. It is shown in this response only; the secret is not stored."""

    name: str
    link: str
    until: Moment

    @classmethod
    def of(cls, made: PasswordLink, secret: str) -> NewPasswordLink:
        address = base_url() + url_for("new_password.form", secret=secret)
        return cls(made.member.name, address, Moment(made.expires_at, "end"))


@pages.get("/new-password/<secret>")
def form(secret: str) -> ResponseReturnValue:
    """The form for a new password."""
    try:
        return _page(password_link_of(secret), NewPasswordForm())
    except NotFound as refusal:
        return closed_link_page(CLOSED_HEADING, refusal)


@pages.post("/new-password/<secret>")
def change(secret: str) -> ResponseReturnValue:
    """Set the password, end the member's other sign-ins, and sign them in on this browser."""
    form = NewPasswordForm()
    try:
        link = password_link_of(secret)  # before the password is hashed: guessing must cost the guesser only
        if not form.validate_on_submit():
            return _page(link, form), 422
        member = set_password(secret, form.password.data or "", request.remote_addr)
    except NotFound as refusal:
        return closed_link_page(CLOSED_HEADING, refusal)
    except FORM_REFUSALS as refusal:
        answer = show_refusal(form, refusal)
        return _page(link, form), *answer
    sign_in_browser(member)
    flash("Your new password is set; you are signed out everywhere else")
    return redirect(url_for("games.index"), 303)


def _page(link: PasswordLink, form: NewPasswordForm) -> str:
    return render_template(
        "accounts/new_password.html",
        link=link,
        until=Moment(link.expires_at, "end"),
        form=form,
        problem=summary_title(form, "The password is not set yet"),
    )
