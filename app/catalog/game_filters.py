"""Filters for lists of games, with the same result on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, String, exists, false, func, or_, select

from app.data.extensions import db
from app.data.models.game import Game


@dataclass(frozen=True)
class GameFilter:
    """The filters of a list. `limit` None: all; `after`: the cursor of the previous page."""

    status: str | None = None
    tag: str | None = None
    text: str | None = None
    limit: int | None = None
    after: str | None = None


def filter_games(query: Select[Game], wanted: GameFilter) -> Select[Game]:
    """Filter by status, tag and text, without paging. Case-insensitive."""
    if "\x00" in f"{wanted.tag}{wanted.text}":
        return query.where(false())  # no stored text has NUL, and Postgres refuses it in a query
    if wanted.status == "active":
        query = query.where(Game.released_build_id.is_not(None))
    elif wanted.status == "pending_upload":
        query = query.where(Game.released_build_id.is_(None))
    if wanted.tag:
        exact = wanted.tag.lower()
        query = query.where(_some_tag(lambda tag: func.lower(tag) == exact))
    if wanted.text:
        part = wanted.text.lower()
        query = query.where(
            or_(
                func.lower(Game.title).contains(part, autoescape=True),
                Game.slug.contains(part, autoescape=True),
                _some_tag(lambda tag: func.lower(tag).contains(part, autoescape=True)),
            )
        )
    return query


def _some_tag(is_wanted: Callable[[ColumnElement[str]], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Whether one of the game's tags matches. A search in the stored JSON text would also match its quotes, commas and
    escapes."""
    elements: Any = func.json_array_elements_text if db.engine.dialect.name == "postgresql" else func.json_each
    tags = elements(Game.tags).table_valued("value")
    tag: ColumnElement[str] = func.cast(tags.c.value, String)
    return exists(select(1).select_from(tags).where(is_wanted(tag)).correlate(Game))
