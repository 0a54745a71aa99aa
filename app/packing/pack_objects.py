"""The objects in the bucket that rows of packs name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.data.database import in_batches
from app.data.models.pack import HAS_INDEX, BuildPack, PackUpdate
from app.storage.bucket import bucket


@dataclass(frozen=True)
class NamedObject:
    """An object that a row names, with its size in bytes."""

    key: str
    size: int


def pack_objects(session: Session, build_ids: Sequence[str]) -> list[NamedObject]:
    """All objects that belong to packs of these builds, and to updates to and from them."""
    found: list[NamedObject] = []
    for batch in in_batches(build_ids):
        packs = select(BuildPack).where(BuildPack.build_id.in_(batch), HAS_INDEX)
        touching = or_(PackUpdate.build_id.in_(batch), PackUpdate.from_build_id.in_(batch))
        for pack in session.scalars(packs):
            found += objects_of_pack(pack)
        for update in session.scalars(select(PackUpdate).where(touching)):
            found += objects_of_update(update)
    return list(dict.fromkeys(found))


def objects_of_pack(pack: BuildPack) -> list[NamedObject]:
    """Those of a ready pack, without its updates; without a pack, the list of files that is kept."""
    packs = [NamedObject(pack.pack_key, pack.pack_bytes)] if pack.state == "ready" else []
    return packs + ([NamedObject(pack.index_key, pack.index_bytes)] if pack.has_index else [])


def are_stored(objects: Sequence[NamedObject]) -> bool:
    """Whether storage lists each of these with its size. It is asked by listing: an answer 404 to a single request may
    come from a proxy, or from storage without its disk. Raises StorageError."""
    folders = {found.key.rpartition("/")[0] for found in objects}
    sizes = {found.key: found.size for folder in folders for found in bucket().objects(f"{folder}/")}
    return are_among(objects, sizes)


def are_among(objects: Sequence[NamedObject], sizes: Mapping[str, int]) -> bool:
    """Whether each of these is in a list of objects (key -> bytes), with its size."""
    return all(sizes.get(found.key) == found.size for found in objects)


def objects_of_update(update: PackUpdate) -> list[NamedObject]:
    found = [(update.delta_key, update.delta_bytes), (update.patch_key, update.patch_bytes)]
    return [NamedObject(key, size) for key, size in found if size is not None]
