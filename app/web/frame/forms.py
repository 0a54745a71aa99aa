"""What all forms share: refusals of the domain beside their fields, and forms that can be submitted only once."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

from flask_wtf import FlaskForm
from limits import parse
from wtforms import Field, HiddenField, PasswordField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # its stubs are older than WTForms 3.3
from wtforms.validators import InputRequired, Length

from app.accounts.password_rules import MAX_PASSWORD, MIN_PASSWORD
from app.accounts.secrets import fingerprint
from app.data.extensions import limiter
from app.process.metrics import count_refusal
from app.refusals import Conflict, InvalidRequest, RateLimited, Refusal, SlugTaken, Unavailable
from app.validation import problem_of_line, problem_of_lines

# Refusals that a form shows. All others (not found, not allowed) have pages of their own.
FORM_REFUSALS = (InvalidRequest, Conflict, SlugTaken, RateLimited, Unavailable)

PASSWORD_TOO_LONG = f"A password has at most {MAX_PASSWORD:,} characters"

Headers = dict[str, str]


def select_choices(labels: Mapping[str, str]) -> Any:
    """The choices of a select: value -> label."""
    return [SelectChoice(value, label) for value, label in labels.items()]


def show_refusal(form: FlaskForm, refusal: Refusal, **form_names: str) -> tuple[int, Headers]:
    """Add a refusal to the form's errors. Returns status and headers of the response: 422, 429 or 503.

    `form_names` maps the domain's name of a field to the form's name, where they differ."""
    count_refusal(refusal.code)
    fields = {form_names.get(name, name): what for name, what in getattr(refusal, "fields", {}).items()}
    known = [name for name in fields if name in form]
    if len(fields) == len(known) == 1:
        _add_error(form, known[0], refusal.message)
    elif known and len(known) == len(fields):
        for name in known:
            _add_error(form, name, f"{form[name].label.text}: {fields[name]}")
    else:
        form.form_errors.append(refusal.message)
    if isinstance(refusal, RateLimited):
        return 429, {"Retry-After": str(refusal.retry_after)}
    if isinstance(refusal, Unavailable):
        return 503, {"Retry-After": str(refusal.retry_after)}
    return 422, {}


def _add_error(form: FlaskForm, name: str, message: str) -> None:
    form[name].errors = [*form[name].errors, message]


def summary_title(form: FlaskForm, what: str) -> str:
    """The title of a summary, `The key is not created yet: 2 things to change`, or "" for a form without errors."""
    count = len(form.form_errors) + sum(bool(field.errors) for field in form)
    if not count:
        return ""
    return f"{what}: {count} {'thing' if count == 1 else 'things'} to change"


def new_password_field(label: str) -> PasswordField:
    """The field for choosing a password."""
    return PasswordField(
        label,
        [
            InputRequired("Choose a password"),
            Length(min=MIN_PASSWORD, message=f"The password needs at least {MIN_PASSWORD} characters"),
            Length(max=MAX_PASSWORD, message=PASSWORD_TOO_LONG),
        ],
    )


class MarkedRequired:
    """A validator that checks nothing: code outside the form refuses an empty value. The field's label and control show
    that it is required."""

    field_flags: ClassVar[Mapping[str, bool]] = {"required": True}

    def __call__(self, form: FlaskForm, field: Field) -> None:
        """Accept any value."""


def one_line(form: FlaskForm, field: Field) -> None:
    """A validator: one line that people can read."""
    if problem := problem_of_line((field.data or "").strip()):
        raise ValidationError(f"{field.label.text} {problem}")


def readable_lines(form: FlaskForm, field: Field) -> None:
    """A validator: lines that people can read."""
    if problem := problem_of_lines((field.data or "").strip()):
        raise ValidationError(f"{field.label.text} {problem}")


def _new_form_number() -> str:
    return secrets.token_urlsafe(16)


class SingleUseForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A form whose response shows a secret. The secret is not stored, so the response shows it without a redirect. If
    the browser submits the form again (a reload, a second click), that must not create a second secret."""

    number = HiddenField(
        default=_new_form_number,
        validators=[InputRequired("This form is out of date: reload the page"), Length(max=64)],
    )

    def first_time(self) -> bool:
        """Whether this is the first submission. Stored with the rate limits, which all processes share."""
        return limiter.limiter.hit(parse("1 per day"), "form", fingerprint(self.number.data or ""))

    def renew(self) -> None:
        """Allow one more submission, for a form that is shown again with errors."""
        self.number.data = _new_form_number()
