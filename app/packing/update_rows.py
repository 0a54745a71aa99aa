"""Rows of updates: which are due, and adding those that were made."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from app.data.database import free_connection, insert_on_conflict
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.pack import BuildPack, PackUpdate
from app.data.models.server import Replica, Server
from app.packing.due_packs import NEWEST_PACKED


def due_updates() -> Sequence[tuple[str, str]]:
    """Updates that servers may need next and that have no row yet, as pairs of build ids (to, from): to the live build
    and the newest ones, from the live build and those that servers have cached."""
    new, old = aliased(Build), aliased(Build)
    new_pack, old_pack = aliased(BuildPack), aliased(BuildPack)
    cached = exists().where(
        Replica.build_id == old.id,
        Replica.phase == "cached",
        Replica.server_id == Server.id,
        Server.retired_at.is_(None),
    )
    found = db.session.execute(
        select(new.id, old.id)
        .join(new_pack, and_(new_pack.build_id == new.id, new_pack.state == "ready"))
        .join(Game, and_(Game.id == new.game_id, Game.deleted_at.is_(None)))
        .join(old, and_(old.game_id == Game.id, old.id != new.id))
        .join(old_pack, and_(old_pack.build_id == old.id, old_pack.state == "ready"))
        .where(
            or_(new.id == Game.released_build_id, new.number >= Game.next_build_number - NEWEST_PACKED),
            or_(old.id == Game.released_build_id, cached),
            ~exists().where(PackUpdate.build_id == new.id, PackUpdate.from_build_id == old.id),
        )
        .order_by((new.id == Game.released_build_id).desc(), new.created_at.desc())
    ).all()
    free_connection()
    return [(new_id_, old_id) for new_id_, old_id in found]


def add_updates(session: Session, updates: Sequence[PackUpdate], *, named: bool = False) -> Sequence[PackUpdate]:
    """Add rows of updates between builds that both have a pack, unless there is one. Returns those that were added.

    `named`: the row of the pack must still name the folder of the update. Otherwise this worker was frozen, another one
    took it for dead, and its objects are removed."""
    added: list[PackUpdate] = []
    for found in updates:
        ends = [found.build_id, found.from_build_id]
        packs = session.scalars(
            select(BuildPack)
            .where(BuildPack.build_id.in_(ends), BuildPack.state == "ready")
            .order_by(BuildPack.build_id)
            .with_for_update()
        ).all()
        if len(packs) < len(ends):
            continue
        if named and found.folder not in {pack.update_folder for pack in packs if pack.build_id == found.build_id}:
            continue
        values = {column.key: getattr(found, column.key) for column in PackUpdate.__table__.columns}
        row = insert_on_conflict(session, PackUpdate).values(values).on_conflict_do_nothing()
        for pack in packs:
            if pack.update_folder == found.folder:
                pack.update_folder = pack.update_claimed_until = None
        if session.scalars(row.returning(PackUpdate.build_id)).all():
            added.append(found)
    return added
