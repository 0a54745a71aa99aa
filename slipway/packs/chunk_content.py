"""The content of an index's chunks: from the files of a directory, or from its pack."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol

from slipway.closing_context import ClosingContext
from slipway.packs.format.chunk_places import ChunkPlaces
from slipway.packs.format.index import Index
from slipway.packs.making.chunk_packing import ChunkUnpacker
from slipway.packs.range_sources import RangeSource
from slipway.packs.tree_files import TreeFiles, read_at


class ChunkContent(Protocol):
    """Where chunks can be read. For one thread."""

    def read(self, chunk: int) -> memoryview | None:
        """The chunk's bytes as its hash promises them, valid until the next call; None when they are not there."""
        ...


class LocalContent(ClosingContext):
    """Reads chunks from the files of a directory, each checked by its hash. For one thread."""

    def __init__(self, root: Path, index: Index, places: ChunkPlaces) -> None:
        self._index = index
        self._places = places
        self._files = TreeFiles(root)
        self._entry = -1
        self._descriptor = -1
        self._buffer = memoryview(bytearray(max(index.chunks.lengths, default=0)))

    def read(self, chunk: int) -> memoryview | None:
        """As ChunkContent, from the first of the chunk's places."""
        return self.read_from(chunk, *self._places.first(chunk))

    def read_from(self, chunk: int, entry: int, offset: int) -> memoryview | None:
        """As `read`, from one place. A file that is missing, or is no file any more, has no chunks."""
        view = self._buffer[: self._index.length(chunk)]
        try:
            filled = read_at(self._opened(entry), view, offset)
        except OSError:
            return None
        if filled < len(view) or hashlib.sha256(view).digest() != self._index.hash(chunk):
            return None
        return view

    def _opened(self, entry: int) -> int:
        if entry != self._entry:
            self._close_file()
            self._descriptor = self._files.open(self._index.path(entry), os.O_RDONLY)
            self._entry = entry
        return self._descriptor

    def _close_file(self) -> None:
        if self._entry >= 0:
            self._entry = -1
            os.close(self._descriptor)

    def close(self) -> None:
        self._close_file()
        self._files.close()


_MIN_AHEAD = 64 * 2**10
_MAX_AHEAD = 4 * 2**20


class PackContent:
    """Reads chunks from a pack, as patches need them. Whoever reads chunks in their order gets them in ever longer
    ranges: otherwise an update of a hundred thousand small files would take as many requests. For one thread."""

    def __init__(self, index: Index, pack: RangeSource) -> None:
        self._index, self._pack = index, pack
        self._buffer = memoryview(bytearray(max(_MAX_AHEAD, max(index.chunks.stored, default=0))))
        self._start = self._end = 0  # of the part of the pack that is in the buffer
        self._ahead = _MIN_AHEAD
        self._unpacker = ChunkUnpacker()

    def read(self, chunk: int) -> memoryview | None:
        """As ChunkContent. Raises what the source raises."""
        start, length = self._index.offsets[chunk], self._index.chunks.stored[chunk]
        if start < self._start or start + length > self._end:
            self._fetch(start, length)
        if start + length > self._end:
            return None
        view = self._buffer[start - self._start : start - self._start + length]
        return self._unpacker.unpack(view, self._index.length(chunk), self._index.hash(chunk))

    def _fetch(self, start: int, length: int) -> None:
        if self._start < start <= self._end + _MAX_AHEAD:
            self._ahead = min(2 * self._ahead, _MAX_AHEAD)
            length = max(length, min(self._ahead, self._index.pack_bytes - start))
        else:
            self._ahead = _MIN_AHEAD
        self._start = self._end = start
        with self._pack.open_range(start, length) as reader:
            while self._end < start + length and (count := reader.readinto(self._buffer[self._end - start : length])):
                self._end += count
