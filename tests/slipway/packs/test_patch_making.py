"""Which pieces share a record of a patch."""

from __future__ import annotations

import time
from array import array

from slipway.packs.format.index import Chunks, Entries, Generation, Index
from slipway.packs.format.pack_format import RULES
from slipway.packs.format.patch_format import MAX_BASE_BYTES, MAX_MADE_BYTES
from slipway.packs.making.patch_making import group_pieces
from slipway.packs.making.patch_pieces import Piece

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
