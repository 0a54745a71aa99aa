"""The board's filters in addresses. They are kept in the addresses of its actions, so that each returns to the same
list."""

from __future__ import annotations

from flask import url_for

from app.web.frame.query_parameters import query_number
from app.web.lists.list_address import ListAddress, requested_list

SORTS = {"": "In the order sent", "name": "By name", "changed": "Changed last"}
KIND_FILTERS: dict[str, tuple[str, frozenset[str]]] = {
    "": ("All", frozenset()),
    "decks": ("Decks", frozenset({"deck", "bundle"})),
    "boards": ("Boards", frozenset({"board"})),
    "dice": ("Dice", frozenset({"die"})),
    "tokens": ("Tokens", frozenset({"tokenSprite", "tokenModel"})),
    "other": ("Other", frozenset({"tile", "container", "counter"})),
}
PROBLEMS = {"": "Any problem", "missing": "A side is missing", "pending": "Sizes are being made", "failed": "No sizes"}


def requested_board(slug: str) -> ListAddress:
    """The board in the address of this request. Raises InvalidRequest for an impossible page or number of a
    revision."""
    address = requested_list(
        url_for("components.page", slug=slug), "in", "page", orders=SORTS, kind=KIND_FILTERS, problem=PROBLEMS
    )
    return address.with_values(revision=query_number("revision"))


def board_url(slug: str, component_id: str = "") -> str:
    """The board with the filters of this request, at one component."""
    return requested_board(slug).url(f"c-{component_id}" if component_id else "")
