"""Where the chunks of an index stand in its files."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from slipway.packs.format.index import Index


class Place(NamedTuple):
    """The entry of a file, and the offset in it (bytes)."""

    entry: int
    offset: int


class PlacedChunk(NamedTuple):
    """A chunk at one of its places."""

    chunk: int
    entry: int
    offset: int


def placed_batches(index: Index, entries: Iterable[int], batch_bytes: int) -> Iterator[list[PlacedChunk]]:
    """All chunks of some files at all their places, in batches of about so many bytes."""
    batch: list[PlacedChunk] = []
    size = 0
    for entry in entries:
        offset = 0
        for chunk in index.chunks_of(entry):
            batch.append(PlacedChunk(chunk, entry, offset))
            offset += index.length(chunk)
            size += index.length(chunk)
            if size >= batch_bytes:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


class ChunkPlaces:
    """Every place of every chunk. Arrays, because there are millions: 16 bytes a place and 4 a chunk."""

    def __init__(self, index: Index) -> None:
        references, starts, lengths = index.entries.references, index.entries.reference_starts, index.chunks.lengths
        count = len(references)
        self._entries = array("I", [0]) * count
        self._offsets = array("Q", [0]) * count
        self._first = array("I", [0]) * index.chunk_count  # a reference and one; so is the next
        self._next = array("I", [0]) * count
        for entry in index.files():
            offset = 0
            for reference in range(starts[entry], starts[entry + 1]):
                self._entries[reference], self._offsets[reference] = entry, offset
                offset += lengths[references[reference]]
        for reference in range(count - 1, -1, -1):
            chunk = references[reference]
            self._next[reference] = self._first[chunk]
            self._first[chunk] = reference + 1

    def first(self, chunk: int) -> Place:
        """The first place in the order of entries; every chunk has one."""
        reference = self._first[chunk] - 1
        return Place(self._entries[reference], self._offsets[reference])

    def is_repeated(self, chunk: int) -> bool:
        """Whether it has more than one place."""
        return bool(self._next[self._first[chunk] - 1])

    def all(self, chunk: int) -> Iterator[Place]:
        """Every place, in the order of entries."""
        following = self._first[chunk]
        while following:
            reference = following - 1
            yield Place(self._entries[reference], self._offsets[reference])
            following = self._next[reference]
