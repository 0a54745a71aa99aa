"""The builds that update files are made against: ready builds of the same game with a pack."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.refusals import Conflict, NotFound
from app.storage.bucket import Bucket
from app.storage.whole_objects import read_range
from slipway.archive.archive_limits import ArchiveLimits
from slipway.packs.format.index_decoding import decode_index
from slipway.packs.format.index_transfer import IndexReference, decompress_index
from slipway.packs.format.update_file import BaseTable


@dataclass(frozen=True)
class BaseBuild:
    """`archive_bytes` is the size of its archive. `index` identifies its table; the object at `index_key` is that
    table compressed, in `index_bytes`."""

    number: int
    archive_bytes: int
    pack_key: str
    index_key: str
    index_bytes: int
    index: IndexReference


def find_base(game_id: str, number: int) -> BaseBuild:
    """The build with this number, if it has a pack. Raises NotFound for a build that the game does not have, and
    Conflict (`no_pack`)."""
    row = db.session.execute(
        select(Build, BuildPack)
        .outerjoin(BuildPack, (BuildPack.build_id == Build.id) & (BuildPack.state == "ready"))
        .where(Build.game_id == game_id, Build.number == number)
    ).first()
    free_connection()
    if row is None:
        raise NotFound(f"The game has no build {number}. It may have been deleted.")
    build, pack = row
    if pack is None:
        raise Conflict(
            f"Build {number} has no pack (any more), so no update can be based on it. Send the whole archive.",
            "no_pack",
        )
    reference = IndexReference(pack.index_sha256 or "", pack.index_size)
    return BaseBuild(number, build.size, pack.pack_key, pack.index_key, pack.index_bytes, reference)


def read_base_table(store: Bucket, base: BaseBuild, limits: ArchiveLimits) -> BaseTable:
    """The base's table. Raises StorageError, and IndexRefused if storage has something else."""
    frame = b"".join(read_range(store, base.index_key, 0, base.index_bytes, lambda: None))
    encoded = decompress_index(frame, base.index)
    return BaseTable(decode_index(encoded, limits), encoded)
