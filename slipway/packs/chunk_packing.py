"""What a chunk becomes in the pack."""

from __future__ import annotations

import zstandard

from slipway.packs.pack_format import RAW_ABOVE

_LEVEL = 3


class ChunkPacker:
    """For one thread."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)

    def pack(self, content: memoryview) -> bytes:
        """One zstd frame, or the content itself where that saves too little."""
        packed = self._compressor.compress(content)
        return packed if len(packed) <= RAW_ABOVE * len(content) else bytes(content)
