"""A directory against its index: what is damaged is named, and mended chunk by chunk."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.packs.applying import Applied
from slipway.packs.repairing import repair
from slipway.packs.verifying import verify
from tests.slipway.packs.builds import Build, BytesSource, install, make_build
from tests.slipway.packs.trees import Tree, noise, standing

TREE = Tree(
    {
        "start.sh": (b"#!/bin/sh\n", True),
        "game/archive.rpa": (noise(5_000_000, 1), False),
        "game/script.rpy": (b"label start:\n" * 200, False),
        "game/empty": (b"", False),
    },
    directories=("saves",),
    symlinks={"lib/python": "../start.sh"},
    hard_links={"lib/again": "game/archive.rpa"},
)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    return make_build(tmp_path_factory.mktemp("build"), TREE)


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(2_000_000)
        file.write(b"written by the game")


def replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def copy_of_archive(path: Path) -> None:
    shutil.copy(path.parent.parent / "game/archive.rpa", path)


def folder_into_file(path: Path) -> None:
    shutil.rmtree(path)
    path.touch()


def folder_into_link(path: Path) -> None:
    path.rename(path.with_name("else"))
    path.symlink_to("else")


def elsewhere(path: Path) -> None:
    path.symlink_to("/bin/sh")


DAMAGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "written to": ("game/archive.rpa", overwrite, "damaged chunks"),
    "cut off": ("game/archive.rpa", lambda path: os.truncate(path, 100), "has 100 bytes"),
    "gone": ("game/script.rpy", Path.unlink, "is missing"),
    "x bit": ("start.sh", lambda path: path.chmod(0o644), "has mode 0644, not 0555"),
    "writable": ("game/script.rpy", lambda path: path.chmod(0o666), "has mode 0666"),
    "a directory": ("game/script.rpy", lambda path: replace(path, Path.mkdir), "is not a file"),
    "a pipe": ("game/empty", lambda path: replace(path, os.mkfifo), "is not a file"),
    "writable directory": ("game", lambda path: path.chmod(0o755), "has mode 0755, not 0555"),
    "link moved": ("lib/python", lambda path: replace(path, elsewhere), "points elsewhere"),
    "link a file": ("lib/python", lambda path: replace(path, Path.touch), "is not a symbolic link"),
    "link broken up": ("lib/again", lambda path: replace(path, copy_of_archive), "not another name"),
    "folder gone": ("game", shutil.rmtree, "is missing"),
    "folder a file": ("saves", folder_into_file, "is not a directory"),
    "folder a link": ("game", folder_into_link, "is not a directory"),
}


@pytest.mark.parametrize(("path", "damage", "problem"), DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_named_and_mended(
    build: Build, tmp_path: Path, path: str, damage: Callable[[Path], object], problem: str
) -> None:
    root = tmp_path / "installed"
    install(build, root)
    index = build.written.index
    assert verify(index, root).is_whole
    damage(root / "mygame" / path)
    found = verify(index, root)

    assert not found.is_whole
    assert any(name == f"mygame/{path}" and problem in said for name, said in found.problems(index))
    mend(build, root)
    left = verify(index, root)
    assert left.is_whole
    for extra in left.extra:  # what the build does not have is the operator's to remove
        assert extra == "mygame/else"
        shutil.rmtree(root / extra)
    assert standing(root) == standing(build.root)


def mend(build: Build, root: Path, source: BytesSource | None = None) -> Applied:
    scratch = root.with_name("scratch")
    scratch.mkdir(exist_ok=True)
    index = build.written.index
    applied = repair(index, root, verify(index, root), source or BytesSource(build.pack), scratch)
    assert list(scratch.iterdir()) == []
    return applied


def test_only_damaged_chunks_are_fetched(build: Build, tmp_path: Path) -> None:
    root = tmp_path / "installed"
    install(build, root)
    overwrite(root / "mygame/game/archive.rpa")
    source = BytesSource(build.pack)
    mend(build, root, source)

    assert 0 < source.sent <= 2**20
    assert len(source.ranges) == 1


def test_what_a_running_game_has_open_is_not_written_to(build: Build, tmp_path: Path) -> None:
    root = tmp_path / "installed"
    install(build, root)
    overwrite(root / "mygame/game/archive.rpa")
    with (root / "mygame/game/archive.rpa").open("rb") as opened:
        before = opened.read()
        mend(build, root)
        opened.seek(0)

        assert opened.read() == before


def test_what_the_build_does_not_have_is_named_and_left(build: Build, tmp_path: Path) -> None:
    root = tmp_path / "installed"
    install(build, root)
    (root / "mygame/saves/1.save").write_bytes(b"a player's")
    (root / "mygame/cache/deep").mkdir(parents=True)
    (root / "mygame/cache/deep/file").touch()
    found = verify(build.written.index, root)

    assert found.is_whole
    assert sorted(found.extra) == ["mygame/cache", "mygame/saves/1.save"]
    mend(build, root)
    assert (root / "mygame/saves/1.save").exists()


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(bits=st.lists(st.integers(0, 8 * 5_000_000 - 1), min_size=1, max_size=5))
def test_any_flipped_bits_are_found_and_mended(build: Build, bits: list[int]) -> None:
    with tempfile.TemporaryDirectory(prefix="packs-") as name:
        root = Path(name, "installed")
        install(build, root)
        path = root / "mygame/game/archive.rpa"
        content = bytearray(path.read_bytes())
        for bit in set(bits):
            content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)

        assert not verify(build.written.index, root).is_whole
        mend(build, root)
        assert standing(root) == standing(build.root)
