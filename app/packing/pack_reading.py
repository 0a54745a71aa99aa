"""Reading stored packs and indexes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import select

from app.config.settings import settings
from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.packing.pack_objects import NamedObject, are_stored, objects_of_pack
from app.storage.bucket import ObjectGone, StorageError, bucket
from app.storage.object_source import ObjectSource
from app.storage.objects import ObjectMissing, open_object
from slipway.archive.archive_limits import ArchiveLimits
from slipway.packs.chunk_content import PackContent
from slipway.packs.chunk_fetching import RangeFetcher
from slipway.packs.format.index import Index
from slipway.packs.format.index_decoding import decode_index, decode_own_index
from slipway.packs.format.index_transfer import IndexReference, decompress_index
from slipway.packs.format.refusals import IndexRefused, TransferCancelled
from slipway.packs.format.zstd_frames import Check
from slipway.packs.making.build_writing import OlderBuild
from slipway.packs.transfer_plan import ranges_of

log = logging.getLogger(__name__)
MAX_READINGS = 3  # of a chunk, before it is taken for damaged: it may have been damaged on its way


@dataclass(frozen=True)
class StoredIndex:
    """A build's index, and the same uncompressed bytes that it was read from."""

    index: Index
    encoded: bytes


def stored_packs(build_ids: Sequence[str]) -> dict[str, tuple[BuildPack, Build]]:
    """The ready packs of these builds, by build id, to be read without a database connection."""
    rows = db.session.execute(
        select(BuildPack, Build)
        .join(Build, BuildPack.build_id == Build.id)
        .where(BuildPack.build_id.in_(build_ids), BuildPack.state == "ready")
    ).all()
    free_connection()
    return {pack.build_id: (pack, build) for pack, build in rows}


def read_index(pack: BuildPack, build: Build) -> StoredIndex:
    """The index of a ready pack. Hold no database connection meanwhile.

    Raises ObjectMissing, other StorageErrors, and IndexRefused when the object is not what the row promises.
    """
    encoded = _read_table(pack)
    return StoredIndex(decode_index(encoded, limits_for(build)), encoded)


def read_own_index(pack: BuildPack) -> Index:
    """The index of a pack or a kept list of files, in a third of the time, for programs that only show paths and write
    no files. Raises ObjectMissing, other StorageErrors, and IndexRefused."""
    return decode_own_index(_read_table(pack))


def _read_table(pack: BuildPack) -> bytes:
    """Callers discard what is lost or damaged, so a single bad answer is no proof: a missing index is looked for in the
    list of objects, and a wrong one is read again. Raises as `read_own_index`."""
    try:
        return _read_table_once(pack)
    except (ObjectMissing, IndexRefused) as why:
        if not are_stored([NamedObject(pack.index_key, pack.index_bytes)]):
            raise
        log.warning("an index is stored, and is read again: %s", why)
    try:
        return _read_table_once(pack)
    except ObjectMissing as why:
        raise StorageError("reading an object that it lists") from why


def _read_table_once(pack: BuildPack) -> bytes:
    with closing(open_object(pack.index_key)) as stored:
        frame = b"".join(stored.pieces())
    return decompress_index(frame, IndexReference(pack.index_sha256 or "", pack.index_size))


def limits_for(build: Build) -> ArchiveLimits:
    """For a build that was accepted once, whatever the setting is today."""
    unpacked_bytes = max(settings().max_unpacked_bytes, build.unpacked_bytes)
    return ArchiveLimits(unpacked_bytes=unpacked_bytes, archive_bytes=build.size)


def is_intact(pack: BuildPack, build: Build, check: Check) -> bool:
    """Whether the index of a ready pack is what the row promises, and each chunk what the index promises. Reads all of
    it, in bounded memory, and what is wrong again; hold no database connection meanwhile. `check` is called for each
    chunk and may raise. Raises StorageError when storage does not answer."""
    if not are_stored(objects_of_pack(pack)):
        return False
    try:
        index = read_index(pack, build).index
    except (ObjectMissing, IndexRefused):
        return False
    missing = bytearray(b"\1") * index.chunk_count

    def arrived(chunk: int, _: memoryview) -> None:
        check()
        missing[chunk] = 0

    fetcher = RangeFetcher(index, ObjectSource(bucket(), pack.pack_key), lambda _: None)
    for _ in range(MAX_READINGS):
        for found in list(ranges_of(index, missing)):
            fetcher.fetch(found, lambda _: True, arrived)
    return not any(missing)


class StoredChunks:
    """The chunks of a pack in the bucket, as ChunkContent. A pack that is lost or cut off has no chunks: patches do
    without them.

    `cancelled` is called before each chunk, because making a patch takes a while.
    """

    def __init__(self, index: Index, pack: BuildPack, cancelled: Callable[[], bool]) -> None:
        """Raises StorageError."""
        # Reading behind the end would look like storage that does not answer, and never end.
        self._is_whole = are_stored([NamedObject(pack.pack_key, pack.pack_bytes)])
        self._content = PackContent(index, ObjectSource(bucket(), pack.pack_key))
        self._cancelled = cancelled

    def read(self, chunk: int) -> memoryview | None:
        """As ChunkContent. Raises TransferCancelled, and StorageError when storage does not answer."""
        if self._cancelled():
            raise TransferCancelled("making the patch was cancelled")
        try:
            return self._content.read(chunk) if self._is_whole else None
        except ObjectGone:
            log.warning("a pack is gone from storage; `flask check` lists it")
            return None


def older_build(pack: BuildPack, build: Build, cancelled: Callable[[], bool]) -> OlderBuild:
    """A ready pack as the older build of another. Raises as `read_index`."""
    stored = read_index(pack, build)
    return OlderBuild(stored.index, stored.encoded, StoredChunks(stored.index, pack, cancelled))
