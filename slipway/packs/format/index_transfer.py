"""An index on its way: compressed by itself, or against the index that its reader has.

Its SHA-256 is that of the uncompressed bytes, so that both ways are checked by the same hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from slipway.packs.format.pack_format import MAX_INDEX_BYTES
from slipway.packs.format.refusals import IndexRefused
from slipway.packs.format.zstd_frames import BadFrame, Effort, compress, decompress

_LARGE = 8 * 2**20


@dataclass(frozen=True)
class IndexReference:
    """Which index is meant: the SHA-256 (hex) and the number of its uncompressed bytes."""

    sha256: str
    size: int


def reference_to(encoded: bytes) -> IndexReference:
    return IndexReference(hashlib.sha256(encoded).hexdigest(), len(encoded))


def compress_index(encoded: bytes, older: bytes = b"") -> bytes:
    """The object to store. With `older`, readers need those bytes of the older build's index to unpack it."""
    return compress(encoded, older, Effort.BEST if len(encoded) <= _LARGE else Effort.GOOD)


def decompress_index(frame: bytes, reference: IndexReference, older: bytes = b"") -> bytes:
    """The uncompressed bytes, exactly those that were meant. Raises IndexRefused."""
    if reference.size > MAX_INDEX_BYTES:
        raise IndexRefused(f"The index takes {reference.size} bytes, {MAX_INDEX_BYTES} are allowed")
    try:
        encoded = decompress(frame, reference.size, older)
    except BadFrame as error:
        raise IndexRefused(f"The index cannot be unpacked: {error}") from None
    if hashlib.sha256(encoded).hexdigest() != reference.sha256:
        raise IndexRefused(f"The index is not the one with SHA-256 {reference.sha256}")
    return encoded
