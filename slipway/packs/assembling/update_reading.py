"""Reading an update file that nobody vouches for, beside the table and the pack of its base."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from slipway.archive.archive_limits import ArchiveLimits
from slipway.packs.assembling.ordered_content import ChunkPart
from slipway.packs.chunk_lookup import ChunkLookup
from slipway.packs.format.index import Index
from slipway.packs.format.index_decoding import decode_game_index
from slipway.packs.format.index_transfer import decompress_index, reference_to
from slipway.packs.format.refusals import UpdateRefused
from slipway.packs.format.update_file import HEADER, BaseTable, UpdateHeader, decode_header
from slipway.packs.range_sources import RangeReader, RangeSource


@dataclass(frozen=True)
class Update:
    """The new build's table, and the parts in which its chunks are: the update file and the base's pack.

    `stored_bytes`: what the chunks take there, each counted once.
    """

    table: Index
    parts: tuple[ChunkPart, ChunkPart]
    stored_bytes: int


def read_update(
    file: RangeSource,
    file_bytes: int,
    base: BaseTable,
    base_pack: RangeSource,
    limits: ArchiveLimits,
    launcher: str | None,
) -> Update:
    """Read the header and the table of an update file; `base_pack` is the pack of its base.

    Old chunks are looked up in the base by their hashes: their places come from there. Raises UpdateRefused or
    IndexRefused, EntriesRefused when an archive with these files would be refused, and what `file` raises.
    """
    header = decode_header(_read(file, 0, min(HEADER.size, file_bytes)), file_bytes)
    if header.base_sha256 != reference_to(base.encoded).sha256:
        raise UpdateRefused("The update file was made for another build than the one that was announced")
    frame = _read(file, file_bytes - header.frame_bytes, header.frame_bytes)
    table, _, _ = decode_game_index(decompress_index(frame, header.table, base.encoded), limits, launcher)
    new_chunks, old_bytes = _check_chunks(table, base.index)
    _check_size(table, new_chunks, header, file_bytes)
    new = ChunkPart(table, _Shifted(file, HEADER.size), "the update file")
    parts = (new, ChunkPart(base.index, base_pack, "the base build's pack"))
    return Update(table, parts, table.offsets[new_chunks] + old_bytes)


def _check_chunks(table: Index, base: Index) -> tuple[int, int]:
    """How many chunks the base lacks: they come first. The base has all others, with the same lengths; and how many
    bytes those take there."""
    known = ChunkLookup(base)
    new_chunks, old_bytes = table.chunk_count, 0
    for chunk in range(table.chunk_count):
        number = known.find(table.hash(chunk))
        if number is None:
            if new_chunks < chunk:
                raise UpdateRefused(f"Chunk {chunk} is neither among the update's first chunks nor in its base")
        else:
            new_chunks = min(new_chunks, chunk)
            if table.length(chunk) != base.length(number):
                raise UpdateRefused(f"Chunk {chunk} has {base.length(number)} bytes, not {table.length(chunk)}")
            old_bytes += base.chunks.stored[number]
    return new_chunks, old_bytes


def _check_size(table: Index, new_chunks: int, header: UpdateHeader, file_bytes: int) -> None:
    expected = HEADER.size + table.offsets[new_chunks] + header.frame_bytes
    if expected != file_bytes:
        raise UpdateRefused(f"The update file has {file_bytes} bytes; its table needs {expected}")


def _read(file: RangeSource, start: int, length: int) -> bytes:
    content = memoryview(bytearray(length))
    filled = 0
    with file.open_range(start, length) as reader:
        while filled < length and (count := reader.readinto(content[filled:])):
            filled += count
    if filled < length:
        raise UpdateRefused(f"The update file ends after {start + filled} bytes")
    return bytes(content)


class _Shifted:
    """The part of a file behind its first bytes."""

    def __init__(self, file: RangeSource, shift: int) -> None:
        self._file, self._shift = file, shift

    @contextmanager
    def open_range(self, start: int, length: int) -> Iterator[RangeReader]:
        with self._file.open_range(start + self._shift, length) as reader:
            yield reader
