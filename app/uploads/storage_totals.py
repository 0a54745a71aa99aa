"""Storage used by builds, over all partners, according to the rows."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, select

from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.upload import Upload
from app.data.pack_sizes import pack_sizes


@dataclass(frozen=True)
class Totals:
    """`builds_bytes` are those of archives. `deleted_bytes` of them belong to deleted games and wait for the sweep.
    `packs_bytes` includes updates, and estimates of packs that are being made. `uploads` counts those being
    sent or checked. `reserved_bytes` are those of all uploads, with what is about to be removed."""

    builds: int
    builds_bytes: int
    deleted_bytes: int
    packs_bytes: int
    uploads: int
    reserved_bytes: int


def totals() -> Totals:
    """Three queries."""
    deleted = case((Game.deleted_at.is_not(None), Build.size), else_=0)
    builds, size, waiting = db.session.execute(
        select(func.count(Build.id), func.sum(Build.size), func.sum(deleted)).join(Game, Build.game_id == Game.id)
    ).one()
    in_progress = case((Upload.state.in_(("uploading", "checking")), 1), else_=0)
    uploads, reserved = db.session.execute(select(func.sum(in_progress), func.sum(Upload.reserved_bytes))).one()
    packs_bytes = db.session.scalar(select(func.sum(pack_sizes().c.bytes)))
    return Totals(
        builds=int(builds),
        builds_bytes=int(size or 0),
        deleted_bytes=int(waiting or 0),
        packs_bytes=int(packs_bytes or 0),
        uploads=int(uploads or 0),
        reserved_bytes=int(reserved or 0),
    )
