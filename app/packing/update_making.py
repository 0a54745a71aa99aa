"""Updates between two builds that have packs: what is transferred, and the objects that reduce it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from app.data.database import announce, free_connection, writing
from app.data.models.game import Build
from app.data.models.pack import BuildPack, PackUpdate
from app.packing.pack_reading import StoredChunks, StoredIndex, read_index, stored_packs
from app.packing.pack_removal import discard_pack
from app.packing.pack_topics import topics_of
from app.packing.pack_writing import store
from app.packing.update_claims import update_folder
from app.packing.update_rows import add_updates
from app.process.crash_points import crash_point
from app.storage.objects import ObjectMissing
from slipway.packs.format.index_transfer import compress_index, reference_to
from slipway.packs.format.patch_format import Patch, decode_patch
from slipway.packs.format.refusals import IndexRefused, TransferCancelled
from slipway.packs.making.build_writing import OlderBuild, make_patch_from_chunks
from slipway.packs.transfer_plan import plan_transfer

log = logging.getLogger(__name__)
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class UpdateObjects:
    """What could be stored for an update. None: it would save nothing."""

    delta: bytes | None
    patch: bytes | None


def make_update(build_id: str, from_build_id: str, *, cancelled: Cancelled, with_patch: bool = True) -> bool:
    """Make an update from the two stored packs. False if one of them is not ready, or was damaged: then it is
    discarded, to be made again. Repeatable. Raises StorageError, Unavailable if other workers do not come to an end,
    and TransferCancelled."""

    def check() -> None:
        if cancelled():
            raise TransferCancelled("making the update was cancelled")

    packs = stored_packs([build_id, from_build_id])
    if len(packs) < 2:
        return False
    indexes = {key: _read_or_discard(pack, build) for key, (pack, build) in packs.items()}
    new, old = indexes[build_id], indexes[from_build_id]
    if new is None or old is None:
        return False
    new_pack, old_pack = packs[build_id][0], packs[from_build_id][0]
    patch = None
    if with_patch:
        new_chunks = StoredChunks(new.index, new_pack, cancelled)
        old_chunks = StoredChunks(old.index, old_pack, cancelled)
        older = OlderBuild(old.index, old.encoded, old_chunks)
        patch = make_patch_from_chunks(new_chunks, new.index, new.encoded, older, check)
    objects = UpdateObjects(compress_index(new.encoded, old.encoded, check), patch)
    with update_folder(build_id) as folder:
        made = PackUpdate(build_id=build_id, from_build_id=from_build_id, folder=folder)
        store_update(made, new_pack.index_bytes, new, old, objects)
        with writing() as session:
            if add_updates(session, [made], named=True):
                announce(*topics_of(session, build_id))
        free_connection()
    return True


def _read_or_discard(pack: BuildPack, build: Build) -> StoredIndex | None:
    try:
        return read_index(pack, build)
    except (ObjectMissing, IndexRefused) as why:
        log.warning("the pack of build %s is damaged and is made again: %s", build.number, why)
        discard_pack(pack)
        return None


def store_update(
    made: PackUpdate, index_bytes: int, new: StoredIndex, old: StoredIndex, objects: UpdateObjects
) -> None:
    """Store the objects of an update that are worth their bytes, and set its sizes. `index_bytes` is what the whole
    index takes. The row is to be added after that."""
    fetched = plan_transfer(new.index, old.index).fetched_bytes
    made.delta_bytes = made.patch_bytes = None
    if objects.patch:
        with_patch = plan_transfer(new.index, old.index, _table(objects.patch, new, old)).fetched_bytes
        if with_patch + len(objects.patch) < fetched:
            store(made.patch_key, objects.patch)
            made.patch_bytes, made.patch_sha256 = len(objects.patch), hashlib.sha256(objects.patch).hexdigest()
            fetched = with_patch
    if objects.delta and len(objects.delta) < index_bytes:
        store(made.delta_key, objects.delta)
        made.delta_bytes = len(objects.delta)
    made.fetched_bytes = fetched
    crash_point("update-stored")


def _table(patch: bytes, new: StoredIndex, old: StoredIndex) -> Patch:
    hashes = [reference_to(stored.encoded).sha256 for stored in (old, new)]
    return decode_patch(patch, old.index, hashes[0], new.index, hashes[1])
