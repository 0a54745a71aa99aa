"""Assembling an archive takes memory that does not depend on its size: the peak of a child process."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from slipway.packs.making.build_writing import write_build
from tests.slipway.packs.assembling.updates import game, update_of_tree
from tests.slipway.packs.test_memory import PEAK, measured
from tests.slipway.packs.trees import Tree

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SIZE = 160  # MiB

ASSEMBLING = (
    """
import sys
from pathlib import Path
from slipway.archive.archive_limits import ArchiveLimits
from slipway.packs.assembling.archive_assembling import assemble_archive
from slipway.packs.assembling.update_reading import read_update
from slipway.packs.format.index_decoding import decode_index
from slipway.packs.format.update_file import BaseTable
from slipway.packs.range_sources import FileSource
"""
    + PEAK
    + """
folder = Path(sys.argv[1])
encoded = (folder / 'index').read_bytes()
file = folder / 'update'
update = read_update(
    FileSource(file), file.stat().st_size, BaseTable(decode_index(encoded), encoded), FileSource(folder / 'pack'),
    ArchiveLimits(), 'start.sh',
)
with (folder / 'archive').open('wb') as sink:
    assemble_archive(update, sink, lambda done: None)
assert (folder / 'archive').stat().st_size > 2**20
print(peak())
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A base of SIZE, and an update file that replaces every second file of it."""
    root = game(Tree()).write(tmp_path / "base")
    with Path("/dev/urandom").open("rb") as chance:
        for number in range(SIZE // 8):
            (root / f"mygame/game/{number}.bin").write_bytes(chance.read(8 * 2**20))
        with (tmp_path / "pack").open("wb") as sink:
            written = write_build(root, sink, build=1)
        (tmp_path / "index").write_bytes(written.encoded)
        for number in range(0, SIZE // 8, 2):
            (root / f"mygame/game/{number}.bin").write_bytes(chance.read(8 * 2**20))
    with (tmp_path / "update").open("wb") as file:
        update_of_tree(root, written, file)
    shutil.rmtree(root)
    return tmp_path


def test_assembling_stays_within_its_bound(folder: Path) -> None:
    """With the interpreter and its libraries."""
    assert measured(ASSEMBLING, folder) < 110
