"""The state of packs, for lists of builds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from app.data.database import in_batches
from app.data.extensions import db
from app.data.models.pack import IS_FOR_SERVERS, BuildPack, PackState


@dataclass(frozen=True)
class PackStatus:
    """`progress`: percent while it is made, never 100 before it is ready. `bytes`: of all objects when it is ready.
    `reason`: why it is not."""

    state: PackState
    progress: int | None
    bytes: int | None
    reason: str | None


def pack_states(build_ids: Collection[str]) -> dict[str, PackStatus]:
    """By build id, for builds whose pack is there or due. Two queries."""
    return {
        pack.build_id: _status(pack)
        for batch in in_batches(build_ids)
        for pack in db.session.scalars(
            select(BuildPack)
            .where(BuildPack.build_id.in_(batch), IS_FOR_SERVERS)
            .options(selectinload(BuildPack.updates))
        )
    }


def unmade_packs() -> dict[str, int]:
    """How many packs could not be made, by state: `no_room` and `failed`. One query."""
    query = select(BuildPack.state, func.count().label("packs")).where(BuildPack.state.in_(("no_room", "failed")))
    return {row.state: row.packs for row in db.session.execute(query.group_by(BuildPack.state))}


def _status(pack: BuildPack) -> PackStatus:
    progress = None
    if pack.state == "making":
        progress = min(99, pack.bytes_done * 100 // pack.bytes_total) if pack.bytes_total else 0
    return PackStatus(pack.state, progress, pack.stored_bytes if pack.state == "ready" else None, pack.reason)
