"""An attempt that was killed is continued, and a chunk that it had put in place is not fetched again."""

from __future__ import annotations

import hashlib
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.packs.format.chunk_places import ChunkPlaces
from slipway.packs.format.index import Index
from slipway.packs.format.index_encoding import encode_index
from slipway.packs.local_reuse import Reuse
from tests.conftest import ROOT
from tests.slipway.packs.builds import Build, BytesSource, go_on, install, make_build, patch_between
from tests.slipway.packs.test_round_trips import standing_files
from tests.slipway.packs.trees import Tree, noise, standing

LARGE = noise(6_000_000, 100)
FIRST = Tree(
    {f"game/{number:02}.rpyc": (noise(30_000, number), False) for number in range(20)}
    | {"game/archive.rpa": (LARGE, False), "lib/python": (noise(3_000_000, 101), True)},
    symlinks={"lib/link": "python"},
    hard_links={"lib/again": "lib/python"},
)
SECOND = Tree(
    FIRST.files
    | {
        "game/05.rpyc": (noise(30_000, 5)[:20_000] + b"changed", False),
        "game/archive.rpa": (
            LARGE[:3_000_000] + noise(900_000, 7) + LARGE[3_000_000:],
            False,
        ),
        "game/new.bin": (noise(4_000_000, 103), False),
    },
    symlinks=FIRST.symlinks,
    hard_links=FIRST.hard_links,
)

# Applies a pack in a process of its own and kills it, with no handler and no flush, once so many chunks are in place or
# (negative) ranges were asked for; prints before that what it asked for.
PROGRAM = """
import os, pickle, signal, sys
from pathlib import Path
from slipway.packs.applying import apply
from slipway.packs.format.index_decoding import decode_index
from slipway.packs.local_reuse import LocalBuild
from tests.slipway.packs.builds import BytesSource
case, into, limit = pickle.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2]), int(sys.argv[3])
encoded, pack, old, patch, reuse = case
index = decode_index(encoded)
old = old and LocalBuild(old[0], decode_index(old[1]))
def kill():
    os.kill(os.getpid(), signal.SIGKILL)
placed = iter(range(10**6))
def progress(done, fetched):
    if limit > 0 and next(placed) == limit:
        kill()
def spoil(start, content):
    if limit < 0 and next(placed) == -limit:
        kill()
    return content
apply(index, into, BytesSource(pack, spoil), old=old, patch=patch, reuse=reuse, progress=progress)
if limit == 0:
    kill()
"""


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Build, Build]:
    folder = tmp_path_factory.mktemp("builds")
    first = make_build(folder, FIRST, 1)
    return first, make_build(folder, SECOND, 2, first)


def killed(case: Path, into: Path, limit: int) -> bool:
    """Whether the process was killed before it was done."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, case, into, str(limit)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=120,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return done.returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize("reuse", Reuse)
@pytest.mark.parametrize("update", [False, True])
def test_after_kills_at_any_point_no_chunk_is_fetched_twice(
    builds: tuple[Build, Build], tmp_path: Path, update: bool, reuse: Reuse
) -> None:
    first, second = builds
    old = first if update else None
    case = tmp_path / "case"
    patch = patch_between(first, second) if update else None
    older = old and (old.root, encode_index(old.written.index))
    case.write_bytes(pickle.dumps((encode_index(second.written.index), second.pack, older, patch, reuse)))
    into = tmp_path / "installed"
    into.mkdir()
    chance = random.Random(17)
    limits = [chance.choice([chance.randint(1, 12), -chance.randint(1, 4)]) for _ in range(4)] + [0]
    for limit in limits:
        killed(case, into, limit)
        in_place = chunks_in_place(second.written.index, into)
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(into, copy, symlinks=True, copy_function=shutil.copy2)
        source = BytesSource(second.pack)
        go_on(second, copy, source, old=old, reuse=reuse)

        assert standing_files(copy) == standing_files(second.root)
        assert_not_sent(second.written.index, source.ranges, in_place)
    assert standing_files(first.root) == standing_files(install_of(first, tmp_path / "check"))


def install_of(build: Build, into: Path) -> Path:
    install(build, into)
    return into


def chunks_in_place(index: Index, into: Path) -> set[int]:
    """The chunks whose every place holds them."""
    places = ChunkPlaces(index)
    found = set()
    for chunk in range(index.chunk_count):
        contents = []
        for entry, offset in places.all(chunk):
            path = into / index.path(entry)
            content = path.read_bytes()[offset : offset + index.length(chunk)] if path.is_file() else b""
            contents.append(hashlib.sha256(content).digest() == index.hash(chunk))
        if all(contents):
            found.add(chunk)
    return found


def assert_not_sent(index: Index, ranges: list[tuple[int, int]], in_place: set[int]) -> None:
    """None of the chunks was asked for, but in the gap between two that were."""
    offsets = index.offsets
    for chunk in in_place:
        for start, length in ranges:
            assert not start <= offsets[chunk] < start + length or in_a_gap(index, chunk, start, length, in_place)


def in_a_gap(index: Index, chunk: int, start: int, length: int, in_place: set[int]) -> bool:
    """Whether chunks that are missing stand before it and behind it in the range."""
    offsets = index.offsets
    inside = [c for c in range(index.chunk_count) if start <= offsets[c] < start + length]
    return inside[0] not in in_place and inside[-1] not in in_place and inside[0] < chunk < inside[-1]


def test_a_finished_directory_is_continued_without_a_byte(builds: tuple[Build, Build], tmp_path: Path) -> None:
    """Killed between the last sync and the rename."""
    _, second = builds
    install(second, tmp_path / "installed")
    source = BytesSource(second.pack)
    applied = go_on(second, tmp_path / "installed", source)

    assert source.ranges == []
    assert applied.kept > 0
    assert standing_files(tmp_path / "installed") == standing_files(second.root)


def test_content_that_a_power_cut_took_is_fetched_again(builds: tuple[Build, Build], tmp_path: Path) -> None:
    """Nothing is believed to be in place because it once was written: it is read."""
    _, second = builds
    into = tmp_path / "installed"
    install(second, into)
    with (into / "mygame/game/archive.rpa").open("r+b") as file:
        file.seek(1_000_000)
        file.write(bytes(100))
        file.truncate(5_000_000)
    with (into / "mygame/lib/again").open("ab") as file:
        file.write(b"too long")
    go_on(second, into)

    assert standing_files(into) == standing_files(second.root)


def test_what_another_attempt_left_by_mistake_does_not_become_part_of_the_build(
    builds: tuple[Build, Build], tmp_path: Path
) -> None:
    """A build number that meant another build once, say."""
    _, second = builds
    into = tmp_path / "installed"
    other = Tree(
        {"game": (b"a file where a folder is now", False), "other/deep/file": (b"x", False)},
        directories=("lib/python", "lib/again"),
        symlinks={"lib/link": "/etc"},
    )
    other.write(into)
    (tmp_path / "elsewhere").write_bytes(b"precious")
    (into / "mygame/lib/precious").hardlink_to(tmp_path / "elsewhere")
    go_on(second, into)

    assert standing(into) == standing(second.root)
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"
