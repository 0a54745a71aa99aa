"""The password once more, before something that outlives the session: a session left open must not be enough."""

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
    """The field, for forms."""
    return PasswordField(
        label,
        [InputRequired("Enter your password"), Length(max=MAX_PASSWORD, message=PASSWORD_TOO_LONG)],
    )


def check_again(password: str | None) -> None:
    """Raises InvalidRequest naming the field `password` when it is wrong, RateLimited after too many wrong ones, or
    Unavailable when too many are being checked."""
    confirm_password(me(), password or "")


class QuestionForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    password = password_field()


@dataclass(frozen=True)
class Question:
    """What is about to be done, for the page that asks for the password. `back` is where Cancel leads, and `place` its
    name; `sends` are the fields of the form that is asked about, which are sent again with the password."""

    heading: str
    lead: str
    button: str
    back: str
    sends: Mapping[str, str]
    place: str = "Members"
    layout: str = "settings/in_page.html"


def password_link_question(owner: str, number: str, back: str) -> Question:
    """Asked before a link is made that lets its bearer in as an owner."""
    return Question(
        heading=f"Make a password link for {owner}?",
        lead=f"Whoever has the link can set a new password for {owner}, and with it do everything an owner can.",
        button="Make password link",
        back=back,
        sends={"number": number},
    )


def asked_again(question: Question) -> ResponseReturnValue | None:
    """None when the right password came with the present form; else the page that asks for it."""
    asked = "password" in request.form
    form = QuestionForm() if asked else QuestionForm(formdata=None)
    status, headers = 422, Headers()
    if asked and form.validate_on_submit():
        try:
            check_again(form.password.data)
        except FORM_REFUSALS as refusal:
            status, headers = show_refusal(form, refusal)
        else:
            return None
    page = render_template(
        "settings/password_again.html",
        layout=question.layout,
        question=question,
        back=question.back,
        form=form,
        problem=summary_title(form, "Nothing was changed yet"),
    )
    # Loading the address again must show where the form was, and not ask whether to send it again.
    return page, status, {"HX-Push-Url": question.back} | headers
