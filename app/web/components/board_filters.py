"""The board's filters in addresses. They are kept in the addresses of its actions, so that each returns to the same
list."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from app.web.frame.query_parameters import query_number

_MAX_LENGTHS = {"kind": 16, "q": 256, "problem": 16, "in": 40, "sort": 16, "page": 10}


def requested_filters() -> dict[str, Any]:
    """The filters in the address of this request, without empty values; by name, for `url_for`. Raises InvalidRequest
    for a revision with an impossible number."""
    values: dict[str, Any] = {"revision": query_number("revision")}
    values |= {name: request.args.get(name, "").strip()[:longest] for name, longest in _MAX_LENGTHS.items()}
    return {name: value for name, value in values.items() if value}


def board_url(slug: str, component_id: str = "") -> str:
    """The board with the filters of this request, at one component."""
    anchor = f"c-{component_id}" if component_id else None
    return url_for("components.page", slug=slug, _anchor=anchor, **requested_filters())
