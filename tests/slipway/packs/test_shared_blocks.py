"""Updates on file systems that can share blocks between files: real ones, each in a file on this machine's disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.packs.local_reuse import can_clone
from tests.slipway.packs.builds import Build, install, make_build
from tests.slipway.packs.trees import Tree, noise, standing

MIB = 2**20
SIZE = 24 * MIB
MAKERS = {"btrfs": ["mkfs.btrfs", "-q", "-f"], "xfs": ["mkfs.xfs", "-q", "-f", "-m", "reflink=1"]}
pytestmark = pytest.mark.slow


@pytest.fixture(params=sorted(MAKERS))
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A new file system with room for three builds."""
    maker = MAKERS[request.param]
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    if not shutil.which(maker[0]):
        pytest.skip(f"{maker[0]} is not installed")
    image, point = tmp_path / "disk", tmp_path / "mounted"
    with image.open("wb") as file:
        file.truncate(400 * MIB)
    subprocess.run([*maker, image], check=True, capture_output=True)
    point.mkdir()
    mounted = subprocess.run(["mount", "-o", "loop", image, point], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"this machine does not mount {request.param}: {mounted.stderr.strip()}")
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", point], check=True)


def used(disk: Path) -> int:
    subprocess.run(["sync", "-f", disk], check=True)
    return shutil.disk_usage(disk).used


def with_old_copy(disk: Path, build: Build) -> Build:
    install(build, disk / "first")
    return Build(disk / "first", build.written, build.pack)


def test_an_update_writes_only_what_changed(disk: Path, tmp_path: Path) -> None:
    content = noise(SIZE, 1)
    first = make_build(tmp_path, Tree({"game/large.bin": (content, False), "game/a.rpy": (b"a" * 9000, False)}), 1)
    edited = content[: SIZE // 2] + b"edited" + content[SIZE // 2 + 6 :]
    second = make_build(
        tmp_path, Tree({"game/large.bin": (edited, False), "game/a.rpy": (b"b" * 9000, False)}), 2, first
    )
    assert can_clone(disk)
    old = with_old_copy(disk, first)
    before = used(disk)
    applied = install(second, disk / "second", old=old)
    written = used(disk) - before
    assert written < SIZE / 4, "the files share their blocks"
    assert applied.kept > SIZE * 3 / 4
    assert standing(disk / "second") == standing(second.root)
    assert standing(disk / "first") == standing(first.root)


def test_content_that_occurs_twice_stays_shared(disk: Path, tmp_path: Path) -> None:
    content = noise(SIZE, 1)
    twice = {"lib/py2/engine": (content, True), "lib/py3/engine": (content, True)}
    first = make_build(tmp_path, Tree(twice | {"game/a.rpy": (b"a" * 9000, False)}), 1)
    # A new file in front of the others has the same content: it is no reason to write them.
    more = twice | {"game/engine.bak": (content, False), "game/a.rpy": (b"b" * 9000, False)}
    second = make_build(tmp_path, Tree(more), 2, first)
    old = with_old_copy(disk, first)
    before = used(disk)
    install(second, disk / "second", old=old)
    assert used(disk) - before < SIZE * 2, "only the new file is written"
    assert standing(disk / "second") == standing(second.root)


def test_a_write_to_a_copy_does_not_change_the_build_that_it_shares_blocks_with(disk: Path, tmp_path: Path) -> None:
    build = make_build(tmp_path, Tree({"game/large.bin": (noise(2 * MIB, 1), False)}), 1)
    old = with_old_copy(disk, build)
    install(build, disk / "second", old=old)
    with (disk / "second/mygame/game/large.bin").open("r+b") as file:
        file.write(b"written by the game")
    assert standing(disk / "first") == standing(build.root)


def test_blocks_of_a_damaged_file_are_mended_and_not_shared(disk: Path, tmp_path: Path) -> None:
    build = make_build(tmp_path, Tree({"game/large.bin": (noise(2 * MIB, 1), False)}), 1)
    old = with_old_copy(disk, build)
    with (disk / "first/mygame/game/large.bin").open("r+b") as file:
        file.write(b"written by the game")
    install(build, disk / "second", old=old)
    assert standing(disk / "second") == standing(build.root)
