"""Rules for new passwords. Passwords that were set under older rules still work."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from app.refusals import InvalidRequest

MIN_PASSWORD, MAX_PASSWORD = 12, 1000
COMMON_PASSWORDS = 10_000
PRODUCT = "Slipway"
_MIN_NAME = 3  # shorter names occur in too many passwords


def check_password(password: str, *names: str, field: str = "password") -> None:
    """Raises InvalidRequest that names the broken rule and the form's `field`. `names`: the names of the person and the
    partner, and the e-mail address."""
    if len(password) > MAX_PASSWORD:
        raise InvalidRequest(
            f"The password has {len(password):,} characters; it can have at most {MAX_PASSWORD:,}.",
            {field: f"at most {MAX_PASSWORD:,} characters"},
        )
    if len(password) < MIN_PASSWORD:
        raise InvalidRequest(
            f"The password has {len(password)} characters; it needs at least {MIN_PASSWORD}.",
            {field: f"at least {MIN_PASSWORD} characters"},
        )
    if _is_common(password):
        raise InvalidRequest(
            f"This is one of the {COMMON_PASSWORDS:,} most common passwords, or one with digits or signs around it. "
            "Choose another, such as a few unrelated words.",
            {field: "too common"},
        )
    if _is_made_of(password, (PRODUCT, *names)):
        raise InvalidRequest(
            f"This password is made of your name, your email address, your partner's name or {PRODUCT}. "
            "Choose another, such as a few unrelated words.",
            {field: "made of a name"},
        )


def _is_common(password: str) -> bool:
    text = unicodedata.normalize("NFKC", password).casefold()
    within_signs = re.sub(r"^[\W_]+|[\W_]+$", "", text)
    within_digits = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", text)
    return not _common_passwords().isdisjoint({text, within_signs, within_digits})


@cache
def _common_passwords() -> frozenset[str]:
    # Loaded when a password is chosen: it takes a tenth of a second, which would slow every start.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"][:COMMON_PASSWORDS])


def _is_made_of(password: str, names: Iterable[str]) -> bool:
    """Whether only digits and signs are left of the password without the names and their words."""
    letters = left = _letters(password)
    words = {word for name in names for word in (_letters(name), *map(_letters, re.split(r"[\W_]+", name)))}
    for word in sorted(words, key=len, reverse=True):
        if len(word) >= _MIN_NAME:
            left = left.replace(word, " ")
    return left != letters and not re.sub(r"[\s\d]+", "", left)


def _letters(text: str) -> str:
    """The letters and digits of a text, in one case."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())
