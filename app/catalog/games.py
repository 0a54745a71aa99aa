"""Rules for games: listing, registering, changing, deleting."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.catalog.game_filters import GameFilter as GameFilter  # for pages
from app.data.database import announce, lock_for_update, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Game
from app.data.models.partner import Partner, PartnerIdentity
from app.fleet.active_servers import active_servers
from app.fleet.replicas import replan
from app.refusals import NotFound, SlugTaken
from app.topics.names import catalog_topic, game_topic, partner_topic


def register_game(partner: PartnerIdentity, slug: str, metadata: dict[str, Any], actor: Actor) -> Game:
    """A new game, waiting for its first build. Raises SlugTaken, or NotFound if the partner was removed meanwhile."""
    partner_id, partner_name = partner.id, partner.name
    try:
        with writing() as session:
            if session.scalar(
                select(Game.id).where(Game.partner_id == partner_id, Game.slug == slug, Game.deleted_at.is_(None))
            ):
                raise _slug_taken(slug)
            game = Game(partner_id=partner_id, slug=slug, **metadata)
            session.add(game)
            session.flush()
            record(session, actor, "game.created", game.title, game=game, slug=slug, partner=partner_name)
            announce(partner_topic(partner_id), catalog_topic(partner_id))
    except IntegrityError:  # on Postgres two registrations may pass the look-up at the same time; the index decides
        if db.session.get(Partner, partner_id) is None:
            raise NotFound(f"{partner_name} was removed a moment ago. Nothing was changed.") from None
        raise _slug_taken(slug) from None
    return game


def _slug_taken(slug: str) -> SlugTaken:
    return SlugTaken(f"The slug '{slug}' is taken by another of your games. Choose another, or delete that game.")


def update_game(game: Game, changes: dict[str, Any], actor: Actor) -> Game:
    """Apply `changes`; other fields stay. Raises NotFound if the game was deleted meanwhile."""
    with writing() as session:
        _lock_game(session, game)
        before = {name: getattr(game, name) for name in changes}
        changed = {name: value for name, value in changes.items() if before[name] != value}
        for name, value in changed.items():
            setattr(game, name, value)
        game.updated_at = now()
        record(session, actor, "game.updated", game.title, game=game, changed=sorted(changed))
        announce(game_topic(game.id), partner_topic(game.partner_id), catalog_topic(game.partner_id))
    return game


def delete_game(game: Game, actor: Actor) -> None:
    """From now on no new sessions start. Running sessions go on; after them, the sweep deletes replicas and objects
    (`app/maintenance/build_sweep.py`). The slug is free at once. Raises NotFound if the game was deleted meanwhile."""
    with writing() as session:
        _lock_game(session, game)
        game.deleted_at = now()
        record(session, actor, "game.deleted", game.title, game=game, slug=game.slug)
        session.flush()
        replan(session, game, active_servers(session))
        announce(catalog_topic(game.partner_id))


def _lock_game(session: Session, game: Game) -> None:
    """Lock a game that was looked up before this transaction."""
    lock_for_update(session, game)
    if game.deleted_at is not None:
        raise NotFound(f"No game with slug '{game.slug}'")
