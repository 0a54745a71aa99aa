"""Filters for lists of games, with the same result on both databases."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select

from app.data.extensions import db
from app.data.models.game import Game
from app.data.text_search import contains, fold


@dataclass(frozen=True)
class GameFilter:
    """The filters of a list. `limit` None: all; `after`: the cursor of the previous page; `sort`: the name of an order
    of the list, "" for its default."""

    status: str | None = None
    tag: str | None = None
    text: str | None = None
    limit: int | None = None
    after: str | None = None
    sort: str = ""


def filter_games(query: Select[Game], wanted: GameFilter) -> Select[Game]:
    """Filter by status, tag and text, without paging and without regard to case and accents. A filter by tag or text
    reads titles, slugs and tags in one more query."""
    if wanted.status == "active":
        query = query.where(Game.released_build_id.is_not(None))
    elif wanted.status == "pending_upload":
        query = query.where(Game.released_build_id.is_(None))
    if wanted.tag or wanted.text:
        query = query.where(Game.id.in_(_matching(query, wanted.tag, wanted.text)))
    return query


def _matching(query: Select[Game], tag: str | None, text: str | None) -> list[str]:
    exact = fold(tag or "")
    return [
        row.id
        for row in db.session.execute(query.with_only_columns(Game.id, Game.title, Game.slug, Game.tags))
        if (not tag or exact in map(fold, row.tags)) and (not text or contains(text, (row.title, row.slug, *row.tags)))
    ]
