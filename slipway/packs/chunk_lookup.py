"""Finding chunks by their hashes, in 8 to 16 bytes of memory a chunk where a dict would take two hundred."""

from __future__ import annotations

from array import array

from slipway.packs.format.index import Index
from slipway.packs.format.pack_format import HASH_BYTES

_EMPTY = 0


class ChunkLookup:
    """An open-addressed table of chunk numbers. Slots are keyed hashes of Python's: no index can crowd them."""

    def __init__(self, index: Index) -> None:
        self._hashes = index.chunks.hashes
        size = 1 << (2 * index.chunk_count).bit_length()
        self._mask = size - 1
        self._slots = array("I", bytes(4 * size))
        for chunk in range(index.chunk_count):
            slot = self._slot(index.hash(chunk))
            self._slots[slot] = chunk + 1

    def find(self, wanted: bytes) -> int | None:
        """The number of the chunk with this hash, or None."""
        found = self._slots[self._slot(wanted)]
        return None if found == _EMPTY else found - 1

    def _slot(self, wanted: bytes) -> int:
        """Where this hash is, or could be put."""
        slot = hash(wanted) & self._mask
        while found := self._slots[slot]:
            start = (found - 1) * HASH_BYTES
            if self._hashes[start : start + HASH_BYTES] == wanted:
                break
            slot = slot + 1 & self._mask
        return slot
