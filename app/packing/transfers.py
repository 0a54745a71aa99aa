"""The size of updates between builds, exact to the byte."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.data.database import free_connection, in_batches
from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.pack import BuildPack, PackUpdate
from app.packing.update_making import make_update


def transfer_between(old: Build, new: Build) -> PackUpdate | None:
    """The update from `old` to `new`, or None if one of them has no pack yet.

    An update that nobody made yet is measured now, from the two stored indexes, and kept: servers that hold `old` will
    use exactly this one. That reads from storage, so call it without a transaction; it frees the connection. Raises
    StorageError.
    """
    found = known_transfers(new.id, [old.id])
    if not found and make_update(new.id, old.id, cancelled=lambda: False, with_patch=False):
        found = known_transfers(new.id, [old.id])
    free_connection()
    return found.get(old.id)


def known_transfers(build_id: str, from_build_ids: Collection[str]) -> Mapping[str, PackUpdate]:
    """The updates to a build that were measured before, by the build that they start from. One query."""
    return {
        update.from_build_id: update
        for batch in in_batches(from_build_ids)
        for update in db.session.scalars(
            select(PackUpdate)
            .join(PackUpdate.pack)
            .options(joinedload(PackUpdate.pack))
            .where(PackUpdate.build_id == build_id, PackUpdate.from_build_id.in_(batch), BuildPack.state == "ready")
        )
    }
