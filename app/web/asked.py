"""Numbers that stand in the address of a page."""

from __future__ import annotations

from flask import request

from app.refusals import InvalidRequest

MAX_NUMBER = 2**31 - 1  # what a column of numbers and ids takes


def asked_number(name: str) -> int | None:
    """A whole number of the query, or None where there is none or something else. Raises InvalidRequest for one that
    nothing here can have."""
    number: int | None = request.args.get(name, type=int)
    if number is not None and not 0 <= number <= MAX_NUMBER:
        raise InvalidRequest(f"{name} can be 0 to {MAX_NUMBER:,}. Take it out of the address to see the first page.")
    return number
