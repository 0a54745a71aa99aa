"""The page behind a link for a new password: whose it is, and the one field."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from app.models import PasswordLink
from app.partners.password_links import password_link_of, set_password
from app.refusals import NotFound
from app.web.entering import closed_link, let_in
from app.web.formats import Moment
from app.web.forms import SHOWN, new_password_field, problem, refused
from app.web.terminal import base_url

pages = Blueprint("new_password", __name__)

CLOSED = "This link does not work any more"


class NewPasswordForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    password = new_password_field("New password")


@dataclass(frozen=True)
class MadeLink:
    """A link that was just made: in this answer and nowhere else."""

    name: str
    link: str
    until: Moment

    @classmethod
    def of(cls, made: PasswordLink, secret: str) -> MadeLink:
        address = base_url() + url_for("new_password.form", secret=secret)
        return cls(made.member.name, address, Moment(made.expires_at, "end"))


@pages.get("/new-password/<secret>")
def form(secret: str) -> ResponseReturnValue:
    """Whose password it is."""
    try:
        return _page(password_link_of(secret), NewPasswordForm())
    except NotFound as refusal:
        return closed_link(CLOSED, refusal)


@pages.post("/new-password/<secret>")
def change(secret: str) -> ResponseReturnValue:
    """Set it, end the member's other sign-ins, and sign them in here."""
    form = NewPasswordForm()
    try:
        link = password_link_of(secret)  # before the password is hashed: guessing must cost the guesser only
        if not form.validate_on_submit():
            return _page(link, form), 422
        member = set_password(secret, form.password.data or "", request.remote_addr)
    except NotFound as refusal:
        return closed_link(CLOSED, refusal)
    except SHOWN as refusal:
        answer = refused(form, refusal)
        return _page(link, form), *answer
    let_in(member)
    flash("Your new password is set; you are signed out everywhere else")
    return redirect(url_for("games.index"), 303)


def _page(link: PasswordLink, form: NewPasswordForm) -> str:
    return render_template(
        "new_password.html",
        link=link,
        until=Moment(link.expires_at, "end"),
        form=form,
        problem=problem(form, "The password is not set yet"),
    )
