"""Finding games, and facts about them for many pages. A look-up through the partner is the authorisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload

from app.catalog.game_filters import GameFilter as GameFilter  # for pages
from app.data.database import in_batches
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.partner import PartnerIdentity
from app.refusals import NotFound

MAX_TITLES = 200


def games_of(partner: PartnerIdentity) -> Select[Game]:
    """A partner's games that are not deleted."""
    return select(Game).where(Game.partner_id == partner.id, Game.deleted_at.is_(None))


def find_game(partner: PartnerIdentity, slug: str, *options: Any) -> Game:
    """The partner's game with this slug. This look-up is the authorisation: the partner may see every game that it
    finds. Raises NotFound, also for another partner's game. `options` are loader options."""
    game = db.session.scalar(games_of(partner).where(Game.slug == slug).options(*options))
    if game is None:
        raise no_game(slug)
    return game


def no_game(slug: str) -> NotFound:
    """The refusal of a slug that the partner has no game with."""
    return NotFound(f"No game with slug '{slug}'")


def lock_for_change(game: Game | None, target: object) -> None:
    """Lock the game, and `target` if it is one of its builds. Inside writing()."""
    session = db.session()
    if game is not None:
        session.get(Game, game.id, with_for_update={"key_share": True}, populate_existing=True)
    if isinstance(target, Build):
        session.get(Build, target.id, with_for_update={"key_share": True}, populate_existing=True)


def game_with_live_build(game_id: str) -> Game | None:
    """A game that is not deleted, with its live build loaded."""
    return db.session.scalar(
        select(Game).where(Game.id == game_id, Game.deleted_at.is_(None)).options(joinedload(Game.released_build))
    )


def live_builds(games: Sequence[Game]) -> dict[str, Build]:
    """Build id → build, for the live builds of these games. One query per 5,000."""
    released = [game.released_build_id for game in games if game.released_build_id]
    return {
        build.id: build
        for batch in in_batches(released)
        for build in db.session.scalars(select(Build).where(Build.id.in_(batch)))
    }


def game_titles(partner: PartnerIdentity) -> list[tuple[str, str]]:
    """(slug, title) of a partner's games, by title: of the MAX_TITLES that changed last, for a list to choose from."""
    rows = db.session.execute(
        select(Game.slug, Game.title)
        .where(Game.partner_id == partner.id, Game.deleted_at.is_(None))
        .order_by(Game.updated_at.desc(), Game.id.desc())
        .limit(MAX_TITLES)
    )
    return sorted(((slug, title) for slug, title in rows), key=lambda row: row[1].casefold())


def oldest_game(partner: PartnerIdentity) -> Game | None:
    """The partner's oldest game that is not deleted, for examples."""
    return db.session.scalar(
        select(Game)
        .where(Game.partner_id == partner.id, Game.deleted_at.is_(None))
        .order_by(Game.created_at, Game.id)
        .limit(1)
    )
