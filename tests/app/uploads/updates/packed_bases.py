"""Builds with a pack, and update files that clients would make against them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from app.data.extensions import db
from app.data.models.game import Build
from app.packing.pack_making import Outcome, make_pack
from app.storage.bucket import bucket
from app.uploads.updates.base_builds import find_base
from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.unpacking import unpack
from slipway.packs.format.update_file import BaseTable
from slipway.packs.making.tree_cutting import cut_tree
from slipway.packs.making.update_writing import write_update
from tests.app.uploads.resumable.sending import Sender
from tests.game_archives import game_archive

SCRIPT = "PaperLanterns-1.0/game/script.rpy"


@dataclass(frozen=True)
class PackedBase:
    """A build with a pack: its number, its table, and its files below `root`."""

    number: int
    table: BaseTable
    root: Path

    def update_file(self, **changes: bytes) -> bytes:
        """What a client sends after it wrote `script` (or whatever `changes` names, below game/) anew."""
        for name, content in changes.items():
            (self.root / f"PaperLanterns-1.0/game/{name}.rpy").write_bytes(content)
        return update_of(self.root, self.table)


def update_of(root: Path, table: BaseTable) -> bytes:
    """The update file of a folder against a base."""
    file = io.BytesIO()
    write_update(cut_tree(root), root, table, file)
    return file.getvalue()


def published_base(sender: Sender, folder: Path, archive: bytes | None = None) -> PackedBase:
    """Publish an archive as a build, and make its pack."""
    archive = archive or game_archive()
    number = sender.published(archive)["build"]
    folder.mkdir()
    unpack(io.BytesIO(archive), folder, ArchiveLimits(), None)
    build = build_numbered(number)
    assert make_pack(build.id) is Outcome.READY
    return PackedBase(number, find_base(build.game_id, number).read_table(), folder)


def build_numbered(number: int) -> Build:
    """The newest build with this number."""
    db.session.rollback()
    return db.session.scalars(select(Build).where(Build.number == number).order_by(Build.created_at.desc())).first()  # type: ignore[return-value]  # there is one


def downloaded(build: Build) -> bytes:
    """A build's archive."""
    return b"".join(bucket().read(build.object_key, 0, build.size, 2**20))
