"""An index as bytes, uncompressed: docs/pack-format.md."""

from __future__ import annotations

import io
import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain

from slipway.packs.format.index import Hashes, Index, Kind
from slipway.packs.format.pack_format import HASH_BYTES, HASH_SHA256, MAX_INDEX_BYTES, VERSION
from slipway.packs.format.refusals import TreeUnsuitable

MAGIC = b"SlipwIdx"
# magic, version, hash; the cutting rules; entries, chunks, generations, links; bytes of paths, targets, references
HEADER = struct.Struct("<8sHH 8I 4I 3Q")
_HASHES_AT_ONCE = 2**11


def encode_index(index: Index) -> bytes:
    """Raises TreeUnsuitable when the index would be larger than readers accept."""
    entries, rules = index.entries, index.rules
    targets = [entries.targets[entry] for entry in sorted(entries.targets)]
    references = _encode_references(index)
    header = HEADER.pack(
        MAGIC,
        VERSION,
        HASH_SHA256,
        rules.min_bytes,
        rules.average_bytes,
        rules.max_bytes,
        rules.normalization,
        rules.alone_bytes,
        rules.run_min_bytes,
        rules.run_average_bytes,
        rules.run_max_bytes,
        index.entry_count,
        index.chunk_count,
        len(index.generations),
        len(targets),
        sum(map(len, entries.paths)),
        sum(map(len, targets)),
        len(references),
    )
    table = io.BytesIO()  # its value is no copy
    table.writelines(
        [
            header,
            little_endian(array("I", chain.from_iterable(index.generations))),
            entries.kinds,
            little_endian(array("H", map(len, entries.paths))),
            little_endian(array("H", map(len, targets))),
            *entries.paths,
            *targets,
            references,
        ]
    )
    table.writelines(_pieces(index.chunks.hashes))
    table.write(little_endian(index.chunks.lengths))
    table.write(little_endian(index.chunks.stored))
    encoded = table.getvalue()
    if len(encoded) > MAX_INDEX_BYTES:
        raise TreeUnsuitable(
            f"The index takes {len(encoded)} bytes, {MAX_INDEX_BYTES} are allowed: "
            f"{index.entry_count} files and {index.chunk_count} chunks are too many"
        )
    return encoded


def hashes_in(encoded: bytes, chunk_count: int) -> memoryview:
    """Those of an encoded index with so many chunks, without a copy: its last columns have equal lengths per chunk."""
    hashes, columns = HASH_BYTES * chunk_count, 2 * 4 * chunk_count
    end = len(encoded) - columns
    return memoryview(encoded)[end - hashes : end]


def little_endian(column: array[int]) -> array[int]:
    """The column as it is stored; the column itself where the processor stores it so."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column


def _pieces(hashes: Hashes) -> Iterator[bytes | bytearray | memoryview]:
    """They may be in a file, so they are never in memory twice."""
    size = _HASHES_AT_ONCE * HASH_BYTES
    return (hashes[start : start + size] for start in range(0, len(hashes), size))


def _encode_references(index: Index) -> bytes:
    """For each file the runs of chunks that follow each other in the pack. A file mostly has one, which begins where
    the file before it ended."""
    encoded = bytearray()
    expected = 0
    for entry, kind in enumerate(index.entries.kinds):
        if kind not in (Kind.FILE, Kind.PROGRAM):
            continue
        expected = append_runs(encoded, index.chunks_of(entry), expected)
    return bytes(encoded)


def append_runs(encoded: bytearray, chunks: Sequence[int], expected: int) -> int:
    """How many runs of chunks that follow each other there are, and for each of them where it begins, counted from
    `expected` or from the end of the run before it, and its length. Returns the end of the last."""
    append_number(encoded, sum(1 for _ in _runs_of(chunks)))
    for first, count in _runs_of(chunks):
        append_signed(encoded, first - expected)
        append_number(encoded, count)
        expected = first + count
    return expected


def _runs_of(chunks: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First chunk and length of each run."""
    start = 0
    for position in range(1, len(chunks) + 1):
        if position == len(chunks) or chunks[position] != chunks[position - 1] + 1:
            yield chunks[start], position - start
            start = position


def append_number(encoded: bytearray, number: int) -> None:
    """LEB128: seven bits a byte, the lowest first; the high bit says that more follow."""
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)


def append_signed(encoded: bytearray, number: int) -> None:
    """Zigzag: 0, -1, 1, -2, 2 are 0, 1, 2, 3, 4."""
    append_number(encoded, number * 2 if number >= 0 else -number * 2 - 1)
