"""What stands in the address of a page."""

from __future__ import annotations

from flask import request

from app.refusals import InvalidRequest

MAX_NUMBER = 2**31 - 1  # what a column of numbers and ids takes


def refuse_nul() -> None:
    """For `before_request`: no stored text has the NUL character, and Postgres cannot even be asked for it. The queries
    of the APIs are refused by their shapes, after the caller is known."""
    if b"%00" in request.query_string and not request.path.startswith("/api/"):
        raise InvalidRequest("The address holds the NUL character (%00). Take it out, then open the page again.")


def query_number(name: str) -> int | None:
    """A whole number of the query, or None where there is none or something else. Raises InvalidRequest for one that
    nothing here can have."""
    number: int | None = request.args.get(name, type=int)
    if number is not None and not 0 <= number <= MAX_NUMBER:
        raise InvalidRequest(f"{name} can be 0 to {MAX_NUMBER:,}. Take it out of the address to see the first page.")
    return number
