"""What a run of new chunks is tried beside: what stood there in the older build."""

from __future__ import annotations

import time
from array import array

from slipway.packs.chunk_lookup import ChunkLookup
from slipway.packs.format.index import Chunks, Entries, Generation, Index, Kind
from slipway.packs.format.pack_format import RULES
from slipway.packs.format.patch_format import MAX_BASE_BYTES
from slipway.packs.making.patch_pieces import Piece, pieces_of

MIB = 2**20


def one_file(names: list[int]) -> Index:
    """The index of one file of chunks of 1 MiB. Chunks of the same name are the same."""
    known = sorted(set(names))
    references = array("I", map(known.index, names))
    hashes = b"".join(name.to_bytes(32) for name in known)
    lengths = array("I", [MIB] * len(known))
    entries = Entries([b"images.rpa"], bytearray([Kind.FILE]), {}, array("I", [0, len(names)]), references)
    return Index(RULES, [Generation(1, len(known))], entries, Chunks(hashes, lengths, lengths))


def pieces_between(old: list[int], new: list[int]) -> list[Piece]:
    older = one_file(old)
    return list(pieces_of(one_file(new), older, ChunkLookup(older)))


def test_a_replaced_chunk_beside_its_neighbours() -> None:
    (piece,) = pieces_between([*range(60)], [*range(30), 100, *range(31, 60)])
    assert (piece.made, piece.base) == ([59], [30])


def test_a_copy_of_a_distant_chunk_leads_nowhere_else() -> None:
    """The chunk behind it is new. What it was made from is in front of the next old chunk, and not behind the place
    that the copy is from."""
    (piece,) = pieces_between([*range(60)], [*range(40), 5, 100, *range(41, 60)])
    assert 40 in piece.base
    assert len(piece.base) * MIB <= MAX_BASE_BYTES


def test_a_long_new_part_is_divided_and_each_piece_tried_beside_both_ends() -> None:
    """8 MiB new where 40 MiB were: they may be like the first of them, or like the last."""
    (piece,) = pieces_between([*range(60)], [*range(10), *range(100, 108), *range(50, 60)])
    assert {10, 49} <= set(piece.base)
    assert len(piece.base) * MIB <= MAX_BASE_BYTES

    first, second = pieces_between([*range(60)], [*range(10), *range(100, 116), *range(50, 60)])
    assert 10 in first.base
    assert 49 in second.base


def test_pieces_between_the_ends_of_a_long_file_are_made_in_seconds() -> None:
    """A hostile file: each new chunk stands between the first old one and the last."""
    count = 8000
    new = [name for number in range(count) for name in (0, count + number, count - 1)]
    began = time.process_time()
    assert len(pieces_between([*range(count)], new)) == count
    assert time.process_time() - began < 10, "each piece looks at all of the old file"
