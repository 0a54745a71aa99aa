"""Storage used by builds, over all partners, according to the rows."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, select

from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.upload import Upload


@dataclass(frozen=True)
class Totals:
    """Bytes of packed archives. `deleted_bytes` belong to deleted games and wait for the sweep. `uploads` counts open
    uploads; `reserved_bytes` are theirs."""

    builds: int
    builds_bytes: int
    deleted_bytes: int
    uploads: int
    reserved_bytes: int


def totals() -> Totals:
    """Two queries."""
    deleted = case((Game.deleted_at.is_not(None), Build.size), else_=0)
    builds, size, waiting = db.session.execute(
        select(func.count(Build.id), func.sum(Build.size), func.sum(deleted)).join(Game, Build.game_id == Game.id)
    ).one()
    uploads, reserved = db.session.execute(select(func.count(Upload.id), func.sum(Upload.reserved_bytes))).one()
    return Totals(int(builds), int(size or 0), int(waiting or 0), int(uploads), int(reserved or 0))
