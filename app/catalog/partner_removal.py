"""Removing a partner with everything that belongs to it.

A partner goes last. Its games are deleted first, and the sweep keeps a deleted game until its sessions have ended and
servers have removed its builds.
"""

from __future__ import annotations

from sqlalchemy import case, func, select

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.accounts.directory.key_directory import all_keys
from app.accounts.keys import revoke_key
from app.accounts.members import remove_all_members
from app.catalog.game_lookup import games_of
from app.catalog.games import delete_game
from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.partner import Partner
from app.refusals import Conflict, NotFound
from app.topics.names import KEYS_TOPIC, SIGN_INS_TOPIC


def close_partner(partner: Partner, actor: Actor) -> int:
    """Remove the partner's members, revoke its keys and delete its games. Repeatable. Returns the number of games that
    were deleted now.

    The members go too: a partner that does not want to go could register a game between two runs of the command, and
    stay for ever."""
    remove_all_members(partner, actor)
    for key in all_keys(partner):
        revoke_key(key, actor)
    games = db.session.scalars(games_of(partner)).all()
    for game in games:
        delete_game(game, actor)
    return len(games)


def remove_partner(partner: Partner, actor: Actor) -> None:
    """Remove a partner without games, its members, invitations, apps and keys. Audit entries stay; the sweep removes
    what is left of it in storage. Raises NotFound, or Conflict while a game is there or waits for the sweep."""
    partner_id = partner.id
    with writing() as session:
        # The strongest lock: a game that is registered now waits, and then finds no partner.
        locked = session.get(Partner, partner_id, with_for_update=True)
        if locked is None:
            raise NotFound("This partner was removed a moment ago.")
        active, deleted = session.execute(
            select(
                func.count(case((Game.deleted_at.is_(None), 1))), func.count(case((Game.deleted_at.is_not(None), 1)))
            ).where(Game.partner_id == partner_id)
        ).one()
        if active:
            raise Conflict(
                f"{locked.name} has {_counted(active)}. Delete them first, or give --with-games to delete them too."
            )
        if deleted:
            raise Conflict(
                f"The deletion of {_counted(deleted)} of {locked.name} is not complete: servers remove the builds and "
                "running sessions end first. Run this command again in some minutes, or after `flask sweep`."
            )
        record(session, actor, "partner.removed", locked.name, partner_id=partner_id)
        session.delete(locked)
        announce(KEYS_TOPIC, SIGN_INS_TOPIC)  # keys and sign-ins are deleted with the partner


def _counted(games: int) -> str:
    return f"{games} {'game' if games == 1 else 'games'}"
