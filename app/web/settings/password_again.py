"""The password once more, before something that outlives the session: a session left open must not be enough."""

from __future__ import annotations

from wtforms import PasswordField
from wtforms.validators import InputRequired, Length

from app.partners.accounts import confirm_password
from app.refusals import InvalidRequest, RateLimited
from app.web.people import me
from app.web.tries import Tries, minutes


def password_field(label: str = "Your password") -> PasswordField:
    """The field, for forms."""
    return PasswordField(
        label,
        [InputRequired("Enter your password"), Length(max=999, message="A password has at most 999 characters")],
    )


def check_again(password: str | None) -> None:
    """Raises InvalidRequest naming the field `password` when it is wrong, or RateLimited after too many wrong ones."""
    # Counted apart from signing in: a stranger who guesses there must not keep members from their own pages.
    tries = Tries(("password-again", me().id))
    if wait := tries.seconds_to_wait():
        raise RateLimited(f"Too many wrong passwords. Wait {minutes(wait)}, then try again.", wait)
    try:
        confirm_password(me(), password or "")
    except InvalidRequest:
        tries.count_wrong()
        raise
