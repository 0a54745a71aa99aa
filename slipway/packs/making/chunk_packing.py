"""What a chunk becomes in the pack, and the way back."""

from __future__ import annotations

import hashlib

import zstandard

from slipway.packs.format.pack_format import RAW_ABOVE

_LEVEL = 3


class ChunkPacker:
    """For one thread."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)

    def pack(self, content: memoryview) -> bytes:
        """One zstd frame, or the content itself where that saves too little."""
        packed = self._compressor.compress(content)
        return packed if len(packed) <= RAW_ABOVE * len(content) else bytes(content)


class ChunkUnpacker:
    """For one thread."""

    def __init__(self) -> None:
        self._decompressor = zstandard.ZstdDecompressor()

    def unpack(self, stored: memoryview, length: int, digest: bytes) -> memoryview | None:
        """The `length` bytes with that SHA-256; None when what is stored is something else."""
        content = stored
        if len(stored) < length:
            try:
                # The size in the frame is allocated at once, so it is compared before anything is unpacked.
                if zstandard.frame_content_size(stored) != length:
                    return None
                content = memoryview(self._decompressor.decompress(stored, allow_extra_data=False))
            except zstandard.ZstdError:
                return None
        return content if hashlib.sha256(content).digest() == digest else None
