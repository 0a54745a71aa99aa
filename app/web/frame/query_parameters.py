"""Checks of query parameters."""

from __future__ import annotations

from flask import request

from app.refusals import InvalidRequest

MAX_NUMBER = 2**31 - 1  # the largest value of an integer column


def refuse_nul() -> None:
    """For `before_request`: refuse the NUL character, which no stored text contains and Postgres does not accept in a
    query. The APIs check their own queries after they have authenticated the caller."""
    if b"%00" in request.query_string and not request.path.startswith("/api/"):
        raise InvalidRequest("The address contains the NUL character (%00). Remove it, then open the page again.")


def query_number(name: str) -> int | None:
    """An integer from the query, or None if the parameter is missing or not an integer. Raises InvalidRequest for a
    number below 0 or above MAX_NUMBER."""
    number: int | None = request.args.get(name, type=int)
    if number is not None and not 0 <= number <= MAX_NUMBER:
        raise InvalidRequest(
            f"{name} must be from 0 to {MAX_NUMBER:,}. Remove it from the address to see the first page."
        )
    return number
