"""Limits for tries of passwords. A try is counted before its password is checked, so that eighty parallel tries are no
more than eighty in sequence. A right one is refunded."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from app.accounts.secrets import fingerprint
from app.config.settings import settings
from app.limits import rate_limits
from app.limits.networks import network_of
from app.refusals import RateLimited

_ADDRESS_OR_PAIR = "Wait {wait}, then try again. Wrong tries count for this email and from this address."
_ACCOUNT = (
    "Many wrong passwords were tried for this email. Wait {wait}, or sign in from a place where you signed in before. "
    "An owner or operator can also give you a link for a new password, which works at once."
)
_CONFIRMATION = "Too many wrong passwords. Wait {wait}, then try again."


@dataclass(frozen=True)
class Limit:
    """A rate ("10 per 15 minutes"), its key, and the text of the refusal, with a place for how long to wait."""

    rate: str
    who: tuple[str, ...]
    refusal: str


def sign_in_limits(email: str, address: str | None, known: bool) -> list[Limit]:
    """The limits for a try to sign in. `known`: a sign-in to the account succeeded from this address before. Then tries
    by others, from elsewhere or for other accounts, cannot keep its owner out."""
    limits, account, place = settings(), fingerprint(email), network_of(address)
    both = Limit(limits.sign_in_rate, ("sign-in", account, place), _ADDRESS_OR_PAIR)
    if known:
        return [both]
    return [
        both,
        Limit(limits.sign_in_address_rate, ("sign-in-address", place), _ADDRESS_OR_PAIR),
        Limit(limits.sign_in_account_rate, ("sign-in-account", account), _ACCOUNT),
    ]


def confirmation_limits(member_id: str) -> list[Limit]:
    """The limits for confirming the password. Separate from signing in, so that a stranger's tries there do not keep
    members from their own pages."""
    return [Limit(settings().sign_in_rate, ("password-again", member_id), _CONFIRMATION)]


def count_try(limits: list[Limit]) -> None:
    """Count one try against each of the limits. Raises RateLimited if it is one too many; then nothing is counted, so
    that refused tries neither lengthen the wait nor use up what others share."""
    for index, limit in enumerate(limits):
        counted = rate_limits.count(limit.rate, *limit.who)
        if not counted.allowed:
            refund_try(limits[: index + 1])
            wait = max(1, math.ceil(counted.resets_at - time.time()))
            raise RateLimited(limit.refusal.format(wait=minutes(wait)), wait)


def refund_try(limits: list[Limit]) -> None:
    """Undo a counted try: its password was right, or was never checked."""
    for limit in limits:
        rate_limits.refund(limit.rate, *limit.who)


def minutes(seconds: int) -> str:
    """`40 seconds`, `4 minutes`: how long to wait, for people."""
    if seconds < 90:
        return "1 second" if seconds == 1 else f"{seconds} seconds"
    return f"{math.ceil(seconds / 60)} minutes"
