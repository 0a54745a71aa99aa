"""An index on its way: compressed by itself, or against the index that its reader has.

Its SHA-256 is that of the uncompressed bytes, so that both ways are checked by the same hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from slipway.packs.format.pack_format import MAX_INDEX_BYTES
from slipway.packs.format.refusals import IndexRefused
from slipway.packs.format.zstd_frames import BadFrame, Check, Effort, Tables, compress, decompress

_SMALL = 2**20
# An index is mostly hashes, in which nothing repeats. Small tables find the rest as well as large ones do, which take
# 80 MiB for 200,000 chunks. Beside an older index, unchanged stretches are long: one hit finds each, if the tables keep
# one place in a few. With one in 12, zstd found nothing any more.
_TABLES = Tables(hash_log=18, chain_log=18)
_MIN_DELTA_LOG, _MAX_DELTA_LOG = 18, 22
_BYTES_PER_PLACE = 4


@dataclass(frozen=True)
class IndexReference:
    """Which index is meant: the SHA-256 (hex) and the number of its uncompressed bytes."""

    sha256: str
    size: int


def reference_to(encoded: bytes) -> IndexReference:
    return IndexReference(hashlib.sha256(encoded).hexdigest(), len(encoded))


def compress_index(encoded: bytes, older: bytes = b"", check: Check | None = None) -> bytes:
    """The object to store. With `older`, readers need those bytes of the older build's index to unpack it. `check` as
    in `compress`."""
    if len(encoded) + len(older) <= _SMALL:
        return compress(encoded, older, Effort.BEST, check=check)
    return compress(encoded, older, Effort.LARGE, _delta_tables(len(older)) if older else _TABLES, check)


def _delta_tables(older_bytes: int) -> Tables:
    places = (older_bytes // _BYTES_PER_PLACE).bit_length()
    return Tables(hash_log=min(max(places, _MIN_DELTA_LOG), _MAX_DELTA_LOG), chain_log=18)


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
