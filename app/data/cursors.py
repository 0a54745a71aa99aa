"""Cursors of lists: a place and not a row, so that deleting the row ends nothing."""

from __future__ import annotations

import base64
import binascii

from app.refusals import InvalidRequest


def encode_cursor(*place: str | int) -> str:
    """The place after which the next page begins, as an opaque word."""
    text = " ".join(str(part) for part in decode_cursor)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(text: str, parts: int) -> list[str]:
    """What a cursor was made of. Raises InvalidRequest for one that this list has not given."""
    try:
        padded = text + "=" * (-len(text) % 4)
        found = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").split(" ")
    except (binascii.Error, ValueError):
        raise unknown_cursor() from None
    if len(found) != parts:
        raise unknown_cursor()
    return found


def unknown_cursor() -> InvalidRequest:
    return InvalidRequest("cursor is not one this list has given. Start again without it.", {"cursor": "unknown"})
