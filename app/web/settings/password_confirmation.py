"""Confirmation of the password before an action that outlasts the session, so that an open session is not enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import PasswordField
from wtforms.validators import InputRequired, Length

from app.accounts.password_rules import MAX_PASSWORD
from app.accounts.passwords import confirm_password
from app.web.frame.current_user import me
from app.web.frame.forms import FORM_REFUSALS, PASSWORD_TOO_LONG, Headers, show_refusal, summary_title


def password_field(label: str = "Your password") -> PasswordField:
    """The field for the user's own password."""
    return PasswordField(
        label,
        [InputRequired("Enter your password"), Length(max=MAX_PASSWORD, message=PASSWORD_TOO_LONG)],
    )


def confirm_my_password(password: str | None) -> None:
    """Raises InvalidRequest for the field `password` when it is wrong, RateLimited after too many wrong attempts, or
    Unavailable when too many passwords are being checked."""
    confirm_password(me(), password or "")


class ConfirmationForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    password = password_field()


@dataclass(frozen=True)
class PasswordQuestion:
    """The content of a page that asks for the password before an action.

    `back` is the URL of Cancel and `back_label` its name. `fields` are those of the action's form; the page fields them
    again together with the password."""

    heading: str
    lead: str
    button: str
    back: str
    fields: Mapping[str, str]
    back_label: str = "Members"
    layout: str = "settings/in_page.html"


def password_link_question(owner: str, number: str, back: str) -> PasswordQuestion:
    """The question before a link is made with which anybody can sign in as an owner."""
    return PasswordQuestion(
        heading=f"Create a password link for {owner}?",
        lead=f"Anybody who has the link can set a new password for {owner}, and then do everything an owner can.",
        button="Create password link",
        back=back,
        fields={"number": number},
    )


def require_password(question: PasswordQuestion) -> ResponseReturnValue | None:
    """None if the current form has the right password, else the page that asks for it."""
    answered = "password" in request.form
    form = ConfirmationForm() if answered else ConfirmationForm(formdata=None)
    status, headers = 422, Headers()
    if answered and form.validate_on_submit():
        try:
            confirm_my_password(form.password.data)
        except FORM_REFUSALS as refusal:
            status, headers = show_refusal(form, refusal)
        else:
            return None
    page = render_template(
        "settings/password_confirmation.html",
        layout=question.layout,
        question=question,
        back=question.back,
        form=form,
        problem=summary_title(form, "Nothing was changed yet"),
    )
    # A reload must show the page with the form, and not ask to send the form again.
    return page, status, {"HX-Push-Url": question.back} | headers
