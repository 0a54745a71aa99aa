"""Filters and orders of a game's builds, with the same result on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from app.data.extensions import db
from app.data.list_orders import (
    chosen_order,
    descending,
    number_order,
    read_page,
    require_cursor,
    size_order,
    text_order,
)
from app.data.models.game import Build, Game
from app.data.text_search import contains

_BY_NUMBER = number_order(Build.number.expression)
_BY_SIZE = size_order(Build.size.expression, Build.id.expression)
_BY_SENDER = text_order(func.lower(Build.sent_by), Build.id.expression)
# By the name in an address; the first one is the default. Builds are numbered in the order in which they are received.
BUILD_ORDERS = {
    "-number": descending(_BY_NUMBER),
    "number": _BY_NUMBER,
    "-size": descending(_BY_SIZE),
    "size": _BY_SIZE,
    "sender": _BY_SENDER,
    "-sender": descending(_BY_SENDER),
}
_STATUSES: dict[str, ColumnElement[bool]] = {
    "released": Build.first_released_at.is_not(None),
    "unreleased": Build.first_released_at.is_(None),
    "warnings": func.json_array_length(Build.warnings) > 0,
}
BUILD_STATUSES = tuple(_STATUSES)


@dataclass(frozen=True)
class BuildFilter:
    """`text`: in number, version label, note, sender or file name. `status`: released (it is or was live), unreleased,
    warnings (its check found some), or "" for all. `sort`: of BUILD_ORDERS, "" for its default. `limit` None: all;
    `after`: the cursor of the previous page."""

    text: str = ""
    status: str = ""
    sort: str = ""
    limit: int | None = None
    after: str | None = None


@dataclass(frozen=True)
class FoundBuilds:
    """One page. `counts`: how many builds with this text have each status, "" for any. `next_cursor`: where the next
    page begins, or None at the end."""

    builds: Sequence[Build]
    counts: dict[str, int]
    total: int
    next_cursor: str | None


def require_page(sort: str, after: str) -> None:
    """Raise InvalidRequest unless `after` is empty or a cursor of the builds in this order."""
    require_cursor(chosen_order(BUILD_ORDERS, sort), after)


def find_builds(game: Game, wanted: BuildFilter) -> FoundBuilds:
    """Two queries, and one more for a text. Raises InvalidRequest for an unknown cursor."""
    query = select(Build).where(Build.game_id == game.id)
    if wanted.text:
        query = query.where(Build.id.in_(_matching(query, wanted.text)))
    counted = (func.count(), *(func.count().filter(status) for status in _STATUSES.values()))
    counts = dict(zip(("", *_STATUSES), db.session.execute(_only(query, *counted)).one(), strict=True))
    if wanted.status:
        query = query.where(_STATUSES[wanted.status])
    rows, next_cursor = read_page(query, chosen_order(BUILD_ORDERS, wanted.sort), wanted.limit, wanted.after)
    return FoundBuilds([row.Build for row in rows], counts, counts[wanted.status], next_cursor)


def _matching(query: Select[Build], text: str) -> list[str]:
    columns = (Build.id, Build.number, Build.version_label, Build.note, Build.sent_by, Build.file_name)
    return [
        build_id
        for build_id, number, *texts in db.session.execute(query.with_only_columns(*columns))
        if contains(text, (str(number), *(each for each in texts if each)))
    ]


def _only(query: Select[Build], *columns: Any) -> Select[Any]:
    return query.with_only_columns(*columns, maintain_column_froms=True)
