"""A making that is told to stop does so while it compresses: a patch or a large index takes seconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from slipway.packs.chunk_content import ChunkContent, LocalContent
from slipway.packs.format.chunk_places import ChunkPlaces
from slipway.packs.format.index_transfer import compress_index, decompress_index, reference_to
from slipway.packs.format.refusals import TransferCancelled
from slipway.packs.format.zstd_frames import Effort, compress, decompress
from slipway.packs.making.build_writing import OlderBuild, make_patch_from_chunks, write_build
from tests.slipway.packs.builds import make_build
from tests.slipway.packs.trees import Tree, noise

PIECE = 128 * 2**10
CONTENT = noise(2**20, 1)


class Stopped(Exception):
    pass


@dataclass
class Checks:
    """Counts its calls, and raises at one of them."""

    stop_at: int | None = None
    calls: int = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == self.stop_at:
            raise Stopped


@dataclass
class CountedReads:
    """The older build's chunks."""

    content: ChunkContent
    reads: int = 0

    def read(self, chunk: int) -> memoryview | None:
        self.reads += 1
        return self.content.read(chunk)


def edited(content: bytes) -> bytes:
    return b"".join(content[at : at + 4996] + b"edit" for at in range(0, len(content), 5000))


def test_a_frame_is_compressed_piece_by_piece() -> None:
    checks = Checks()
    frame = compress(CONTENT, edited(CONTENT), Effort.BEST, check=checks)
    assert checks.calls == len(CONTENT) / PIECE
    assert decompress(frame, len(CONTENT), edited(CONTENT)) == CONTENT
    assert len(frame) < 10_000

    with pytest.raises(Stopped):
        compress(CONTENT, check=Checks(stop_at=3))


def test_an_index_is_compressed_piece_by_piece() -> None:
    for older in (b"", edited(CONTENT)):
        checks = Checks()
        frame = compress_index(CONTENT, older, checks)
        assert checks.calls == len(CONTENT) / PIECE
        assert decompress_index(frame, reference_to(CONTENT), older) == CONTENT


def test_a_patch_that_is_stopped_makes_no_further_record(tmp_path: Path) -> None:
    programs = {f"lib/{number}.so": noise(600_000, number) for number in range(4)}
    first = make_build(tmp_path, Tree({path: (content, True) for path, content in programs.items()}))
    changed = Tree({path: (edited(content), True) for path, content in programs.items()})
    second = make_build(tmp_path, changed, 2)
    old, new = first.written, second.written
    with (
        LocalContent(first.root, old.index, ChunkPlaces(old.index)) as before,
        LocalContent(second.root, new.index, ChunkPlaces(new.index)) as after,
    ):
        reads = CountedReads(before)
        older = OlderBuild(old.index, old.encoded, reads)
        checks = Checks()
        assert make_patch_from_chunks(after, new.index, new.encoded, older, checks)
        complete = reads.reads

        reads.reads = 0
        with pytest.raises(Stopped):
            make_patch_from_chunks(after, new.index, new.encoded, older, Checks(stop_at=2))
        assert 0 < reads.reads < complete / 3, "the first of four files was read, and no other"
        # Records are compressed last: a stop there is seen too.
        with pytest.raises(Stopped):
            make_patch_from_chunks(after, new.index, new.encoded, older, Checks(stop_at=checks.calls))


def test_cancelling_is_checked_while_the_index_is_compressed(tmp_path: Path) -> None:
    """After the pack was written, the objects are still to be made."""
    root = Tree({"game/a.bin": (noise(100_000), False)}).write(tmp_path / "1")
    written = tmp_path / "pack"

    def cancelled() -> bool:
        return written.stat().st_size > 0

    with written.open("wb", buffering=0) as sink, pytest.raises(TransferCancelled):
        write_build(root, sink, build=1, cancelled=cancelled)
    assert written.stat().st_size >= 100_000
