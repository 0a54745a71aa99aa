"""Cursors of lists. A cursor names a position and not a row, so that deleting the row does not break the list."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime

from sqlalchemy import BigInteger, ColumnElement, String, Tuple, literal, tuple_

from app.data.models.base import UtcDateTime
from app.refusals import InvalidRequest


def encode_cursor(*position: str | int) -> str:
    """The position after which the next page begins, as an opaque word."""
    text = " ".join(str(part) for part in position)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, parts: int) -> list[str]:
    """The parts that `encode_cursor` joined. Raises InvalidRequest for a cursor that this list has not given."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").split(" ")
    except (binascii.Error, ValueError):
        raise unknown_cursor() from None
    if len(found) != parts:
        raise unknown_cursor()
    return found


def time_cursor(created_at: datetime, row_id: str) -> str:
    """A cursor of a list that is ordered by time of creation and id."""
    return encode_cursor(created_at.isoformat(), row_id)


def time_position(cursor: str) -> Tuple:
    """The (time, id) of a cursor that `time_cursor` made, for comparison with a row's. Raises InvalidRequest."""
    moment, row_id = decode_cursor(cursor, 2)
    try:
        created_at = datetime.fromisoformat(moment).astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: the year 1 or 9999 in another zone
        raise unknown_cursor() from None
    return tuple_(literal(created_at, UtcDateTime()), _row_id(row_id))


def text_cursor(text: str, row_id: str) -> str:
    """A cursor of a list that is ordered by a text and id. The sign before the text tells it from a size."""
    return encode_cursor(f"~{text.encode().hex()}", row_id)


def text_position(cursor: str) -> Tuple:
    """The (text, id) of a cursor that `text_cursor` made. Raises InvalidRequest."""
    coded, row_id = decode_cursor(cursor, 2)
    if not coded.startswith("~"):
        raise unknown_cursor()
    try:
        text = bytes.fromhex(coded[1:]).decode()
    except ValueError:
        raise unknown_cursor() from None
    if "\0" in text:  # Postgres does not accept it
        raise unknown_cursor()
    return tuple_(literal(text, String), _row_id(row_id))


def size_cursor(size: int, row_id: str) -> str:
    """A cursor of a list that is ordered by a number of bytes and id."""
    return encode_cursor(size, row_id)


def size_position(cursor: str) -> Tuple:
    """The (bytes, id) of a cursor that `size_cursor` made. Raises InvalidRequest."""
    size, row_id = decode_cursor(cursor, 2)
    if not re.fullmatch(r"[0-9]{1,18}", size):
        raise unknown_cursor()
    return tuple_(literal(int(size), BigInteger), _row_id(row_id))


def _row_id(row_id: str) -> ColumnElement[str]:
    if not re.fullmatch(r"\w{1,40}", row_id, re.ASCII):
        raise unknown_cursor()
    return literal(row_id, String)


def number_position(cursor: str) -> int:
    """The number in a cursor of a list that is ordered by a number. Such a cursor is the number itself. Raises
    InvalidRequest."""
    if not re.fullmatch(r"[0-9]{1,9}", cursor):
        raise unknown_cursor()
    return int(cursor)


def unknown_cursor() -> InvalidRequest:
    return InvalidRequest("cursor is not one this list has given. Start again without it.", {"cursor": "unknown"})
