"""The bytes of packs, for sums over builds, games and partners."""

from __future__ import annotations

from sqlalchemy import Subquery, func, select, union_all

from app.data.models.pack import BuildPack, PackUpdate


def pack_sizes() -> Subquery:
    """Columns `build_id` and `bytes`: what the packs of a build and the updates to it take, or have reserved. A build
    may have several rows, or none."""
    packs = select(BuildPack.build_id, (BuildPack.pack_bytes + BuildPack.index_bytes).label("bytes"))
    updates = select(
        PackUpdate.build_id,
        (func.coalesce(PackUpdate.delta_bytes, 0) + func.coalesce(PackUpdate.patch_bytes, 0)).label("bytes"),
    )
    return union_all(packs, updates).subquery("pack_sizes")
