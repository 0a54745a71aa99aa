"""The builds that update files are made against: builds of the same game that have a pack."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.packing.pack_reading import read_index
from app.refusals import Conflict, NotFound
from slipway.packs.format.update_file import BaseTable


@dataclass(frozen=True)
class BaseBuild:
    """A build and its ready pack."""

    build: Build
    pack: BuildPack

    @property
    def sha256(self) -> str:
        """Lowercase hex, of its uncompressed table."""
        return self.pack.index_sha256 or ""

    def read_table(self) -> BaseTable:
        """Raises ObjectGone, other StorageErrors, and IndexRefused if storage has something else."""
        stored = read_index(self.pack, self.build)
        return BaseTable(stored.index, stored.encoded)


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
            f"Build {number} has no pack (yet, or any more), so no update can be based on it. Send the whole archive.",
            "no_pack",
        )
    return BaseBuild(build, pack)
