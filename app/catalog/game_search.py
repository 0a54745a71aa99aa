"""Finding a partner's games and builds by what somebody types: by all its words, best first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, or_, select

from app.catalog.game_lookup import games_of
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.partner import PartnerIdentity
from app.data.text_search import best_rank, search_words

MAX_GAMES_WITH_BUILDS = 10  # games whose builds are searched
MAX_BUILDS_READ = 100
_BUILD_WORDS = {"build", "builds", "version"}


@dataclass(frozen=True)
class NamedGame:
    """A game by its names. `title_words`, `slug_words`: for `match_rank`."""

    id: str
    slug: str
    title: str
    title_words: Sequence[str]
    slug_words: Sequence[str]

    def rank(self, wanted: Sequence[str]) -> int | None:
        """How well the title, the slug or both match (`match_rank`)."""
        return best_rank(wanted, (self.title_words, self.slug_words, [*self.title_words, *self.slug_words]))


@dataclass(frozen=True)
class FoundBuild:
    """A build of a game. `label`: the studio's own name for it, or ""."""

    game: NamedGame
    number: int
    label: str
    live: bool


def named_games(partner: PartnerIdentity) -> list[NamedGame]:
    """The partner's games that are not deleted, last changed first. One query."""
    rows = db.session.execute(
        games_of(partner)
        .with_only_columns(Game.id, Game.slug, Game.title)
        .order_by(Game.updated_at.desc(), Game.id.desc())
    )
    return [NamedGame(game_id, slug, title, search_words(title), search_words(slug)) for game_id, slug, title in rows]


def matching_games(games: Sequence[NamedGame], wanted: Sequence[str]) -> list[tuple[int, NamedGame]]:
    """(rank, game) of the games that match, best first, and last changed first among equals."""
    found = [(rank, game) for game in games if (rank := game.rank(wanted)) is not None]
    return sorted(found, key=lambda match: match[0])


def matching_builds(games: Sequence[NamedGame], text: str, limit: int) -> list[tuple[int, FoundBuild]]:
    """(rank, build) for a text whose last word is the number of a build, or the beginning of its version label:
    `paper-lanterns 12`, `lanterns build 1.4`. Searches the games that match the other words best."""
    *others, last = text.split() or [""]
    name = last.lstrip("#").lower()
    if not re.match(r"v?\d", name):
        return []
    wanted = [word for word in search_words(" ".join(others)) if word not in _BUILD_WORDS]
    ranks = {game.id: (rank, game) for rank, game in matching_games(games, wanted)[:MAX_GAMES_WITH_BUILDS]}
    number = int(name) if re.fullmatch(r"[1-9]\d{0,8}", name) else None
    is_number = Build.number == number
    is_label = func.lower(Build.version_label).startswith(name, autoescape=True)
    rows = db.session.execute(
        select(Build.game_id, Build.number, Build.version_label, Build.id == Game.released_build_id)
        .join(Game, Build.game_id == Game.id)
        .where(Build.game_id.in_(ranks), or_(is_number, is_label))
        .order_by(case((is_number, 0), else_=1), Build.number.desc())
        .limit(MAX_BUILDS_READ)
    )
    found = [
        (ranks[game_id][0], FoundBuild(ranks[game_id][1], each, label or "", bool(live)))
        for game_id, each, label, live in rows
    ]
    found.sort(key=lambda match: (match[0], match[1].number != number))
    return found[:limit]
