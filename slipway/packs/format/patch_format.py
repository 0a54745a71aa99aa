"""A patch object: chunks of one build, made from chunks of another that are like them (docs/pack-format.md)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from slipway.packs.format.index import Index
from slipway.packs.format.index_encoding import append_number, append_runs
from slipway.packs.format.number_reader import BadNumber, NumberReader
from slipway.packs.format.pack_format import VERSION
from slipway.packs.format.refusals import PatchRefused

MAGIC = b"SlipwPat"
HEADER = struct.Struct("<8sHH 32s 32s II")  # magic, version, nothing, old index, new index, records, bytes of the table

MAX_PATCH_BYTES = 32 * 2**20
"""Readers hold it in memory."""
MAX_MADE_BYTES = 8 * 2**20
"""What one record makes, unpacked."""
MAX_BASE_BYTES = 16 * 2**20
"""What one record is made from. Both together bound the memory of whoever applies it."""
MAX_RECORDS = 4096
MAX_BASE_BYTES_IN_ALL = 2**30
"""Bounds the work of a patch that nobody vouches for."""


@dataclass(frozen=True)
class PatchRecord:
    """The chunks `made` (numbers in the new index), joined, are one zstd frame with the chunks `base` (numbers in the
    old index), joined, as its prefix. The frame is `length` bytes from `start` in the object."""

    made: list[int]
    base: list[int]
    start: int
    length: int


@dataclass(frozen=True)
class Patch:
    """`size` is that of the whole object in bytes."""

    records: list[PatchRecord]
    size: int


def encode_patch(records: list[tuple[list[int], list[int], bytes]], old_sha256: str, new_sha256: str) -> bytes:
    """The object of records (made, base, frame) between two indexes, given by their SHA-256 (hex)."""
    table = bytearray()
    for made, base, frame in records:
        append_runs(table, made, 0)
        append_runs(table, base, 0)
        append_number(table, len(frame))
    old, new = bytes.fromhex(old_sha256), bytes.fromhex(new_sha256)
    header = HEADER.pack(MAGIC, VERSION, 0, old, new, len(records), len(table))
    return b"".join([header, table, *(frame for _, _, frame in records)])


def decode_patch(encoded: bytes, old: Index, old_sha256: str, new: Index, new_sha256: str) -> Patch:
    """The table of a patch object between these two indexes. Raises PatchRefused."""
    if len(encoded) > MAX_PATCH_BYTES:
        raise PatchRefused(f"The patch takes {len(encoded)} bytes, {MAX_PATCH_BYTES} are allowed")
    if len(encoded) < HEADER.size or not encoded.startswith(MAGIC):
        raise PatchRefused("This is not a patch")
    _, version, _, old_hash, new_hash, count, table_bytes = HEADER.unpack_from(encoded)
    if version != VERSION:
        raise PatchRefused(f"The patch is of format {version}; this program reads format {VERSION}: update it")
    if (old_hash.hex(), new_hash.hex()) != (old_sha256, new_sha256):
        raise PatchRefused("The patch is between other builds")
    if count > MAX_RECORDS:
        raise PatchRefused(f"The patch has {count} records, {MAX_RECORDS} are allowed")
    start = HEADER.size + table_bytes
    numbers = NumberReader(encoded[HEADER.size : start])
    records: list[PatchRecord] = []
    base_bytes = 0
    try:
        for _ in range(count):
            made = _runs(numbers, new, MAX_MADE_BYTES)
            base = _runs(numbers, old, MAX_BASE_BYTES)
            base_bytes += sum(map(old.length, base))
            if base_bytes > MAX_BASE_BYTES_IN_ALL:
                raise PatchRefused(f"The patch is made from more than {MAX_BASE_BYTES_IN_ALL} bytes")
            records.append(PatchRecord(made, base, start, numbers.number()))
            start += records[-1].length
    except BadNumber:
        raise PatchRefused("The patch's table ends within a number") from None
    if not numbers.at_end or start != len(encoded):
        raise PatchRefused("The patch's records do not end where it ends")
    return Patch(records, len(encoded))


def _runs(numbers: NumberReader, index: Index, max_bytes: int) -> list[int]:
    chunks: list[int] = []
    expected = size = 0
    for _ in range(numbers.number()):
        first = expected + numbers.signed()
        expected = first + numbers.number()
        if not 0 <= first < expected <= index.chunk_count:
            raise PatchRefused(f"The patch names the chunks {first} to {expected - 1} of {index.chunk_count}")
        for chunk in range(first, expected):
            size += index.length(chunk)
            if size > max_bytes:
                raise PatchRefused(f"A record of the patch has more than {max_bytes} bytes")
            chunks.append(chunk)
    return chunks
