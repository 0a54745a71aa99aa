"""What is damaged on its way or in the bucket is found, fetched again, and never becomes a file."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.packs.applying import apply
from slipway.packs.format.refusals import ChunksDamaged, TransferCancelled
from tests.slipway.packs.builds import Build, BytesSource, go_on, install, make_build
from tests.slipway.packs.trees import Tree, noise, standing

TREE = Tree(
    {
        "a.bin": (noise(900_000, 1), False),
        "b.txt": (b"a line of text\n" * 50_000, False),
        "c.sh": (b"#!/bin/sh\n", True),
        "d.rpa": (noise(2_000_000, 2), False),
    }
)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    return make_build(tmp_path_factory.mktemp("build"), TREE)


def once(change: Callable[[bytes], bytes]) -> Callable[[int, bytes], bytes]:
    """Spoil the first answer only."""
    spoiled: list[int] = []

    def spoil(start: int, content: bytes) -> bytes:
        if spoiled:
            return content
        spoiled.append(start)
        return change(content)

    return spoil


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(bit=st.integers(0, 8 * 3_000_000), cut=st.one_of(st.none(), st.integers(0, 3_000_000)))
def test_what_came_damaged_or_cut_off_is_fetched_again(build: Build, bit: int, cut: int | None) -> None:
    with tempfile.TemporaryDirectory(prefix="packs-") as name:
        into = Path(name, "installed")
        source = BytesSource(build.pack, once(lambda content: flipped(content, bit)[:cut]))
        applied = install(build, into, source)

        assert standing(into) == standing(build.root)
        # Only what was wrong is fetched a second time.
        if cut is None:
            assert 0 < applied.damaged < 1_200_000


def test_a_pack_that_stays_damaged_is_refused_by_name(build: Build, tmp_path: Path) -> None:
    index = build.written.index
    entry = next(entry for entry in index.files() if index.path(entry).endswith("d.rpa"))
    position = index.offsets[index.chunks_of(entry)[1]] + 5
    damaged = bytearray(build.pack)
    damaged[position] ^= 1

    with pytest.raises(ChunksDamaged, match=r"^1 chunk of the pack is not .* of mygame/d\.rpa"):
        install(build, tmp_path / "installed", BytesSource(bytes(damaged)))
    # The right pack brings what is missing, and no more.
    source = BytesSource(build.pack)
    go_on(build, tmp_path / "installed", source)

    assert standing(tmp_path / "installed") == standing(build.root)
    assert source.sent == index.chunks.stored[index.chunks_of(entry)[1]]


def test_a_truncated_pack_is_refused(build: Build, tmp_path: Path) -> None:
    with pytest.raises(ChunksDamaged):
        install(build, tmp_path / "installed", BytesSource(build.pack[:-1]))


def test_a_chunk_that_unpacks_to_more_than_it_should_is_refused_unpacked(build: Build, tmp_path: Path) -> None:
    """A decompression bomb in the place of a compressed chunk: the size in its frame is compared first."""
    index = build.written.index
    chunk = next(chunk for chunk in range(index.chunk_count) if index.chunks.stored[chunk] < index.length(chunk))
    bomb = zstandard.ZstdCompressor().compress(bytes(30 * 2**20))[: index.chunks.stored[chunk]]
    start = index.offsets[chunk]
    damaged = build.pack[:start] + bomb + build.pack[start + len(bomb) :]

    with pytest.raises(ChunksDamaged):
        install(build, tmp_path / "installed", BytesSource(damaged))


def test_what_the_source_raises_passes_through_and_the_rest_is_kept(build: Build, tmp_path: Path) -> None:
    class Unreachable(Exception):
        pass

    def refuse(start: int, content: bytes) -> bytes:
        raise Unreachable

    into = tmp_path / "installed"
    with pytest.raises(Unreachable):
        install(build, into, BytesSource(build.pack, refuse))
    go_on(build, into)

    assert standing(into) == standing(build.root)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), flips=st.integers(1, 6))
def test_a_damaged_older_build_is_never_trusted(build: Build, seed: int, flips: int) -> None:
    """Bits that changed on disk, files that are cut off or gone: their chunks are fetched."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="packs-") as name:
        folder = Path(name)
        files = TREE.files | {"e.txt": (b"new in the second", False), "a.bin": (noise(900_000, 1) + b"more", False)}
        second = make_build(folder, Tree(files), 2, build)
        install(build, folder / "old")
        for _ in range(flips):
            place = chance.choice([path for path in (folder / "old").rglob("*") if path.is_file()])
            content = place.read_bytes()
            kinds = [b"", content[:-1], flipped(content, chance.randrange(10**7))] if content else [b"x"]
            place.write_bytes(chance.choice(kinds))
        old = Build(folder / "old", build.written, build.pack)
        install(second, folder / "new", old=old)

        assert standing(folder / "new") == standing(second.root)


def test_cancelling_leaves_what_can_be_continued(build: Build, tmp_path: Path) -> None:
    into = tmp_path / "installed"
    into.mkdir()
    calls = iter(range(1000))
    with pytest.raises(TransferCancelled):
        apply(build.written.index, into, BytesSource(build.pack), cancelled=lambda: next(calls) > 6)
    kept = go_on(build, into).kept

    assert kept > 0
    assert standing(into) == standing(build.root)
