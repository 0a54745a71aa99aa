"""Text fields that several forms share: required names with a maximum length, and email addresses."""

from __future__ import annotations

from wtforms import EmailField, StringField
from wtforms.validators import DataRequired, InputRequired, Length

MAX_NAME_LENGTH = 150
MAX_APP_NAME_LENGTH = MAX_KEY_NAME_LENGTH = 100
MAX_EMAIL_LENGTH = 254


def name_field(label: str, required: str, *, noun: str = "A name", maximum: int = MAX_NAME_LENGTH) -> StringField:
    """A required name of at most `maximum` characters. `required` is the message when it is missing, and `noun` begins
    the message when it is too long."""
    return StringField(label, [DataRequired(required), length_limit(noun, maximum)])


def email_field(label: str = "Email") -> EmailField:
    """A required email address. The domain checks its form."""
    return EmailField(label, [InputRequired("Enter an email address"), length_limit("An address", MAX_EMAIL_LENGTH)])


def length_limit(noun: str, maximum: int) -> Length:
    """A validator whose message is `A name has at most 150 characters`."""
    return Length(max=maximum, message=f"{noun} has at most {maximum} characters")
