"""Long runs of zeros take no room on the disk of a server, however a build got there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from slipway.packs.applying import MAX_PACKED_ZEROS
from slipway.packs.format.pack_format import MAX_CHUNK_BYTES
from slipway.packs.local_reuse import Reuse
from slipway.packs.making.chunk_packing import ChunkPacker
from tests.slipway.packs.builds import Build, BytesSource, go_on, install, make_build
from tests.slipway.packs.trees import Tree, noise, standing

MIB = 2**20
SIZE = 24 * MIB
DATA = MIB  # of SIZE
SPARSE = noise(DATA // 2, 1) + bytes(SIZE - DATA) + noise(DATA // 2, 2)
PATHS = ("mygame/game/sparse.bin", "mygame/game/tail.bin", "mygame/game/zeros.bin")
FILES = {
    "game/sparse.bin": (SPARSE, False),
    "game/tail.bin": (noise(1000, 3) + bytes(SIZE), False),
    "game/zeros.bin": (bytes(SIZE), False),
    "game/script.rpy": (b"label start:\n", False),
}


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Build, Build]:
    folder = tmp_path_factory.mktemp("builds")
    first = make_build(folder, Tree(FILES), 1)
    changed = {
        "game/script.rpy": (b"label end:\n", False),
        "game/tail.bin": (noise(1000, 4) + bytes(SIZE), False),
    }
    return first, make_build(folder, Tree(FILES | changed), 2, first)


def taken(root: Path) -> list[int]:
    """Bytes on the disk."""
    return [(root / path).stat().st_blocks * 512 for path in PATHS]


def test_an_install_leaves_holes(builds: tuple[Build, Build], tmp_path: Path) -> None:
    install(builds[0], tmp_path / "first")
    assert standing(tmp_path / "first") == standing(builds[0].root)
    assert max(taken(tmp_path / "first")) < 5 * MIB


@pytest.mark.parametrize("reuse", Reuse)
def test_an_update_leaves_holes(builds: tuple[Build, Build], tmp_path: Path, reuse: Reuse) -> None:
    install(builds[0], tmp_path / "first")
    installed = Build(tmp_path / "first", builds[0].written, builds[0].pack)
    install(builds[1], tmp_path / "second", old=installed, reuse=reuse)
    assert standing(tmp_path / "second") == standing(builds[1].root)
    assert max(taken(tmp_path / "second")) < 5 * MIB


def test_an_attempt_that_is_continued_fetches_no_hole_again(builds: tuple[Build, Build], tmp_path: Path) -> None:
    into = tmp_path / "first"
    install(builds[0], into)
    for path in PATHS:
        (into / path).chmod(0o600)
    source = BytesSource(builds[0].pack)
    go_on(builds[0], into, source)
    assert source.ranges == []
    assert max(taken(into)) < 5 * MIB


def test_zeros_replace_what_an_ended_attempt_left(builds: tuple[Build, Build], tmp_path: Path) -> None:
    into = tmp_path / "first"
    install(builds[0], into)
    with (into / PATHS[2]).open("r+b") as file:
        file.seek(3 * MIB)
        file.write(b"left over" * 1000)
    go_on(builds[0], into)
    assert standing(into) == standing(builds[0].root)


def test_a_file_system_that_tells_nothing_of_holes(
    builds: tuple[Build, Build], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(descriptor: int, offset: int, whence: int) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "lseek", refused)
    into = tmp_path / "first"
    install(builds[0], into)
    assert standing(into) == standing(builds[0].root)
    source = BytesSource(builds[0].pack)
    go_on(builds[0], into, source)
    assert source.ranges == [], "what is in place is kept there too"


def test_the_largest_chunk_of_zeros_is_known_as_one() -> None:
    assert len(ChunkPacker().pack(memoryview(bytes(MAX_CHUNK_BYTES)))) <= MAX_PACKED_ZEROS
