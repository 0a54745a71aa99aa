"""An update file: a new build as its table and the chunks that another build, its base, lacks (docs/pack-format.md).

It is what `slipway push` sends. Readers have the base's table and pack.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from slipway.packs.format.index import Index
from slipway.packs.format.index_transfer import IndexReference
from slipway.packs.format.pack_format import HASH_BYTES, MAX_INDEX_BYTES, VERSION
from slipway.packs.format.refusals import UpdateRefused

MAGIC = b"SlipwUpd"
HEADER = struct.Struct(f"<8sHH {HASH_BYTES}s {HASH_BYTES}s QQ")  # magic, version, 0, base, table, its size, its frame


@dataclass(frozen=True)
class BaseTable:
    """The table of the build that an update is made against, as an index and uncompressed."""

    index: Index
    encoded: bytes


@dataclass(frozen=True)
class UpdateHeader:
    """`base_sha256` (hex) is of the base's table. The new table is one zstd frame of `frame_bytes` at the end of the
    file; the chunks are between header and frame."""

    base_sha256: str
    table: IndexReference
    frame_bytes: int


def encode_header(header: UpdateHeader) -> bytes:
    """HEADER.size bytes."""
    base, table = bytes.fromhex(header.base_sha256), bytes.fromhex(header.table.sha256)
    return HEADER.pack(MAGIC, VERSION, 0, base, table, header.table.size, header.frame_bytes)


def decode_header(encoded: bytes, file_bytes: int) -> UpdateHeader:
    """The header of a file of `file_bytes`, from its first HEADER.size bytes. Raises UpdateRefused."""
    if len(encoded) < HEADER.size or not encoded.startswith(MAGIC):
        raise UpdateRefused("This is not an update file")
    _, version, reserved, base, table, table_bytes, frame_bytes = HEADER.unpack(encoded[: HEADER.size])
    if (version, reserved) != (VERSION, 0):
        raise UpdateRefused(f"The update file is of format {version}; this program reads format {VERSION}: update it")
    if table_bytes > MAX_INDEX_BYTES or frame_bytes > MAX_INDEX_BYTES:
        largest = max(table_bytes, frame_bytes)
        raise UpdateRefused(f"The table of the update file takes {largest} bytes, {MAX_INDEX_BYTES} are allowed")
    if HEADER.size + frame_bytes > file_bytes:
        raise UpdateRefused(f"The update file has {file_bytes} bytes, fewer than its header promises")
    return UpdateHeader(base.hex(), IndexReference(table.hex(), table_bytes), frame_bytes)
