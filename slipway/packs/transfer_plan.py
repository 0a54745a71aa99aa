"""What has to be fetched from a pack: for showing it beforehand, exact to the byte, and for doing it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from slipway.packs.chunk_lookup import ChunkLookup
from slipway.packs.format.index import Index
from slipway.packs.format.patch_format import Patch

MAX_GAP_BYTES = 128 * 2**10
"""Unwanted bytes that are fetched rather than asked around: less than another request costs."""

MAX_RANGE_BYTES = 16 * 2**20

MAX_REQUEST_BYTES = 64 * 2**20
"""Storage needs half the processor time for long requests. They change no sum: only ranges without a gap are joined."""


class ChunkRange(NamedTuple):
    """Chunks that one request brings, `chunks` of them from number `first`; `start` and `length` in the pack, bytes."""

    first: int
    chunks: int
    start: int
    length: int


@dataclass(frozen=True)
class TransferPlan:
    """`wanted` has a 1 for each chunk to fetch from the pack."""

    wanted: bytearray
    ranges: list[ChunkRange]

    @property
    def fetched_bytes(self) -> int:
        """Bytes of the pack that will be sent, those in gaps among them."""
        return sum(found.length for found in self.ranges)


def plan_transfer(index: Index, older: Index | None = None, patch: Patch | None = None) -> TransferPlan:
    """What a client that has the build of `older` whole, or nothing, fetches for `index` beside the patch."""
    wanted = index.used_chunks()
    if older:
        known = ChunkLookup(older)
        for chunk in range(index.chunk_count):
            if known.find(index.hash(chunk)) is not None:
                wanted[chunk] = 0
    if patch:
        for record in patch.records:
            for chunk in record.made:
                wanted[chunk] = 0
    return TransferPlan(wanted, list(ranges_of(index, wanted)))


def ranges_of(index: Index, wanted: bytearray) -> Iterator[ChunkRange]:
    """Ranges with the chunks that are marked, none longer than MAX_RANGE_BYTES and a chunk."""
    offsets = index.offsets
    first = end = -1  # chunk numbers; `end` is behind the last wanted one
    chunk = wanted.find(1)
    while chunk >= 0:
        if first >= 0 and (
            offsets[chunk] - offsets[end] > MAX_GAP_BYTES or offsets[end] - offsets[first] >= MAX_RANGE_BYTES
        ):
            yield _range(index, first, end)
            first = -1
        if first < 0:
            first = chunk
        end = chunk + 1
        chunk = wanted.find(1, end)
    if first >= 0:
        yield _range(index, first, end)


def join_ranges(ranges: Sequence[ChunkRange], at_least: int) -> Iterator[ChunkRange]:
    """Requests for the same bytes in the same order. Ranges that touch are joined up to about MAX_REQUEST_BYTES, but
    `at_least` so many requests are left, if there are as many ranges of a size."""
    share = sum(found.length for found in ranges) // at_least
    wanted = min(share, MAX_REQUEST_BYTES)
    joined: ChunkRange | None = None
    for found in ranges:
        # Half of a range more or less than wanted is nearest to it.
        if joined and joined.start + joined.length == found.start and joined.length + found.length // 2 <= wanted:
            joined = ChunkRange(joined.first, joined.chunks + found.chunks, joined.start, joined.length + found.length)
            continue
        if joined:
            yield joined
        joined = found
    if joined:
        yield joined


def _range(index: Index, first: int, end: int) -> ChunkRange:
    start = index.offsets[first]
    return ChunkRange(first, end - first, start, index.offsets[end] - start)
