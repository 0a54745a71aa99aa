"""Signing in without the form: finds the account for a password, and creates signed-in browsers."""

from __future__ import annotations

from app.accounts.passwords import accounts_for
from app.accounts.sign_ins import begin_sign_in, sign_in_of
from app.data.models.partner import Member

ADDRESS = "192.0.2.1"


def find_account(email: str, password: str, address: str = ADDRESS) -> Member | None:
    """The only account with this e-mail address and password, or None."""
    found = accounts_for(email, password, address)
    assert len(found) < 2
    return found[0] if found else None


def sign_in_browser(member: Member, address: str = ADDRESS) -> str:
    """Sign the member in from another browser. Returns the token of its cookie."""
    return begin_sign_in(member, address, "Firefox on Linux")[1]


def is_signed_in(token: str) -> bool:
    return sign_in_of(token) is not None
