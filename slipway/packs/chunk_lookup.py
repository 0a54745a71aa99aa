"""Finding chunks by their hashes, in 8 to 16 bytes of memory a chunk where a dict would take two hundred."""

from __future__ import annotations

from array import array
from typing import Protocol

from slipway.packs.format.index import Hashes, Index
from slipway.packs.format.pack_format import HASH_BYTES

_EMPTY = 0
_MIN_SLOTS = 2**10
_PIECE_BYTES = 2**16


class _HashTable:
    """An open-addressed table of chunk numbers. Slots are keyed hashes of Python's: no index can crowd them."""

    def __init__(self, hashes: Hashes, slots: int) -> None:
        """`hashes`: of chunk 0, 1, 2 …, joined. `slots`: a power of 2, more than there are chunks."""
        self._hashes = hashes
        self._fill(slots)

    def find(self, wanted: bytes) -> int | None:
        """The number of the chunk with this hash, or None."""
        found = self._slots[self._slot(wanted)]
        return None if found == _EMPTY else found - 1

    def _fill(self, slots: int) -> None:
        self._mask = slots - 1
        self._slots = array("I", [_EMPTY]) * slots
        chunk = 0
        for first in range(0, len(self._hashes), _PIECE_BYTES):
            piece = bytes(self._hashes[first : first + _PIECE_BYTES])
            for start in range(0, len(piece), HASH_BYTES):
                chunk += 1
                self._slots[self._slot(piece[start : start + HASH_BYTES])] = chunk

    def _slot(self, wanted: bytes) -> int:
        """Where this hash is, or could be put."""
        slot = hash(wanted) & self._mask
        while found := self._slots[slot]:
            start = (found - 1) * HASH_BYTES
            if self._hashes[start : start + HASH_BYTES] == wanted:
                break
            slot = slot + 1 & self._mask
        return slot


class ChunkLookup(_HashTable):
    """The chunks of an index."""

    def __init__(self, index: Index) -> None:
        super().__init__(index.chunks.hashes, 1 << (2 * index.chunk_count).bit_length())


class GrowingHashes(Hashes, Protocol):
    """Hashes that are added at the end: a bytearray, or a file."""

    def extend(self, digest: bytes, /) -> None: ...


class ChunkNumbering(_HashTable):
    """Numbers chunks in the order in which they first come."""

    def __init__(self, hashes: GrowingHashes) -> None:
        """`hashes` is empty, and gets those of all chunks."""
        self._added = hashes
        super().__init__(hashes, _MIN_SLOTS)

    def number(self, digest: bytes) -> int:
        """The number of the chunk with this hash: a new one if it did not come before."""
        slot = self._slot(digest)
        if self._slots[slot] == _EMPTY:
            self._added.extend(digest)
            self._slots[slot] = chunks = len(self._added) // HASH_BYTES
            if 2 * chunks > self._mask:
                self._fill(2 * (self._mask + 1))
            return chunks - 1
        return self._slots[slot] - 1
