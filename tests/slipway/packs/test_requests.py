"""How the ranges of a transfer become requests."""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from slipway.packs.chunk_fetching import RangeFetcher
from slipway.packs.range_sources import FileSource
from slipway.packs.transfer_plan import MAX_RANGE_BYTES, MAX_REQUEST_BYTES, ChunkRange, join_ranges
from tests.slipway.packs.builds import make_build
from tests.slipway.packs.trees import Tree

MIB = 2**20


def ranges(*lengths: int, gaps: frozenset[int] = frozenset()) -> list[ChunkRange]:
    """One chunk each; a gap of a MiB before the numbers in `gaps`."""
    found, start = [], 0
    for number, length in enumerate(lengths):
        start += MIB if number in gaps else 0
        found.append(ChunkRange(number, 1, start, length))
        start += length
    return found


def test_ranges_that_touch_become_long_requests() -> None:
    joined = list(join_ranges(ranges(*[MAX_RANGE_BYTES] * 16), 2))
    assert [found.length for found in joined] == [MAX_REQUEST_BYTES] * 4
    assert [(found.first, found.chunks) for found in joined] == [(0, 4), (4, 4), (8, 4), (12, 4)]


def test_a_transfer_is_divided_into_equal_requests() -> None:
    assert [found.chunks for found in join_ranges(ranges(*[MAX_RANGE_BYTES] * 4), 2)] == [2, 2]
    assert [found.chunks for found in join_ranges(ranges(*[MAX_RANGE_BYTES] * 4), 4)] == [1, 1, 1, 1]


def test_a_gap_is_never_fetched() -> None:
    joined = list(join_ranges(ranges(*[MIB] * 100, gaps=frozenset({50})), 1))
    assert [(found.start, found.length) for found in joined] == [(0, 50 * MIB), (51 * MIB, 50 * MIB)]


@given(
    st.lists(st.integers(1, MAX_RANGE_BYTES + MIB), max_size=60),
    st.frozensets(st.integers(0, 59)),
    st.integers(1, 4),
)
def test_requests_bring_the_same_chunks_and_bytes(lengths: list[int], gaps: frozenset[int], at_least: int) -> None:
    planned = ranges(*lengths, gaps=gaps)
    joined = list(join_ranges(planned, at_least))
    assert [n for found in joined for n in range(found.first, found.first + found.chunks)] == list(range(len(lengths)))
    assert sum(found.length for found in joined) == sum(lengths)
    starts = {found.first: found.start for found in planned}
    assert all(found.start == starts[found.first] for found in joined)
    assert all(found.length < MAX_REQUEST_BYTES + MAX_RANGE_BYTES for found in joined)


def test_a_request_is_read_in_few_long_pieces(tmp_path: Path) -> None:
    content = random.Random(1)
    build = make_build(
        tmp_path, Tree({f"image {number:03}": (content.randbytes(100_000), False) for number in range(160)})
    )
    index, reads, arrived = build.written.index, list[int](), list[int]()
    fetcher = RangeFetcher(index, FileSource(tmp_path / "pack.1"), reads.append)
    complete = ChunkRange(0, index.chunk_count, 0, index.pack_bytes)
    fetcher.fetch(complete, lambda chunk: True, lambda chunk, view: arrived.append(chunk))
    assert arrived == list(range(index.chunk_count))
    assert sum(reads) == index.pack_bytes == 16_000_000
    assert len(reads) <= 10
