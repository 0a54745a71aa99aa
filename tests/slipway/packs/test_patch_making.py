"""Which pieces share a record of a patch, and how well it is compressed."""

from __future__ import annotations

import random
import time
from array import array
from pathlib import Path

import pytest

from slipway.packs.chunk_content import LocalContent
from slipway.packs.format.chunk_places import ChunkPlaces
from slipway.packs.format.index import Chunks, Entries, Generation, Index
from slipway.packs.format.pack_format import RULES
from slipway.packs.format.patch_format import MAX_BASE_BYTES, MAX_MADE_BYTES
from slipway.packs.format.zstd_frames import Effort, compress
from slipway.packs.making import patch_making
from slipway.packs.making.patch_making import group_pieces, make_records
from slipway.packs.making.patch_pieces import Piece, join_chunks
from tests.slipway.packs.builds import make_build
from tests.slipway.packs.trees import Tree, noise

MANY = 40_000


def index_of(lengths: list[int]) -> Index:
    hashes = b"".join(number.to_bytes(32) for number in range(len(lengths)))
    entries = Entries([], bytearray(), {}, array("I", [0]), array("I"))
    return Index(
        RULES, [Generation(1, len(lengths))], entries, Chunks(hashes, array("I", lengths), array("I", lengths))
    )


def test_pieces_of_one_kind_share_a_record_while_they_fit() -> None:
    half, base = MAX_MADE_BYTES // 2, MAX_BASE_BYTES // 2
    new, old = index_of([half] * 5), index_of([base] * 3)
    pieces = [Piece([0], [0]), Piece([1], [0, 1]), Piece([2], [0], True), Piece([3], [2]), Piece([4], [1])]
    assert list(group_pieces(new, old, pieces)) == [
        Piece([0, 1], [0, 1]),
        Piece([3, 4], [2, 1]),
        Piece([2], [0], True),
    ]


def test_a_base_that_is_too_large_together_begins_another_record() -> None:
    new, old = index_of([1] * 3), index_of([MAX_BASE_BYTES // 2] * 3)
    pieces = [Piece([0], [0]), Piece([1], [1]), Piece([2], [2])]
    assert list(group_pieces(new, old, pieces)) == [Piece([0, 1], [0, 1]), Piece([2], [2])]


def test_tens_of_thousands_of_small_files_are_grouped_in_seconds() -> None:
    """A hostile build: to count a group anew for each piece would take minutes, in which nothing can stop it."""
    index = index_of([200] * MANY)
    began = time.process_time()
    (group,) = group_pieces(index, index, [Piece([number], [number]) for number in range(MANY)])
    assert len(group.made) == len(group.base) == MANY
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    ("new_lines", "most_squeezed", "effort"),
    [(0, 2**25, Effort.GOOD), (8_000, 2**25, Effort.BEST), (8_000, 0, Effort.GOOD)],
)
def test_a_large_piece_is_compressed_well_where_much_of_it_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_lines: int, most_squeezed: int, effort: Effort
) -> None:
    """A program that was linked again takes twice the time at the best level, and hardly comes out smaller."""
    monkeypatch.setattr(patch_making, "_MAX_SQUEEZED_BYTES", most_squeezed)
    program = noise(2**21)
    edited = b"".join(program[at : at + 19_996] + b"edit" for at in range(0, len(program), 20_000))
    chance, words = random.Random(1), [noise(4, number).hex() for number in range(500)]
    lines = "\n".join(" ".join(chance.choices(words, k=9)) for _ in range(new_lines)).encode()
    first = make_build(tmp_path, Tree({"lib/game.so": (program, True)}))
    second = make_build(tmp_path, Tree({"lib/game.so": (edited + lines, True)}), 2)
    old, new = first.written.index, second.written.index
    with (
        LocalContent(first.root, old, ChunkPlaces(old)) as before,
        LocalContent(second.root, new, ChunkPlaces(new)) as after,
    ):
        (record,) = make_records(new, after, old, before)
        made, base = join_chunks(after, record.made), join_chunks(before, record.base)
    assert made is not None
    assert base is not None
    sizes = {tried: len(compress(made, base, tried)) for tried in (Effort.GOOD, Effort.BEST)}
    assert (sizes[Effort.BEST] < sizes[Effort.GOOD] - 100) is (new_lines > 0)
    assert len(record.frame) == sizes[effort]
