"""The parts of a new build that an old one lacks, each beside what stood in its place."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from slipway.packs.chunk_content import ChunkContent
from slipway.packs.chunk_lookup import ChunkLookup
from slipway.packs.format.index import Index
from slipway.packs.format.patch_format import MAX_BASE_BYTES, MAX_MADE_BYTES

_BASE_SPREAD = 2 * 2**20  # of a long old file, how much more than the same piece is looked at on each side


@dataclass(slots=True)
class Piece:
    """New chunks that stand together in a file, and the old chunks that they are made from. `promising`: beside these
    they take less than half of what they take in the pack."""

    made: list[int]
    base: list[int]
    promising: bool = False


@dataclass(frozen=True)
class BuildPair:
    """A build that was cut and an old one, each with where its chunks can be read."""

    cut: Index
    cut_content: ChunkContent
    old: Index
    old_content: ChunkContent


def join_chunks(content: ChunkContent, chunks: list[int]) -> bytes | None:
    """Their bytes; None when one of them cannot be read. Raises what reading raises."""
    joined = bytearray()
    for chunk in chunks:
        view = content.read(chunk)
        if view is None:
            return None
        joined += view
    return bytes(joined)


def pieces_of(cut: Index, old: Index, known: ChunkLookup) -> Iterator[Piece]:
    """Each run of new chunks in a file beside what stood in its place in the old build's file of the same path, or of
    the same name. `known` finds the chunks of `old`."""
    by_path = {old.entries.paths[entry]: entry for entry in old.files()}
    by_name = {path.rpartition(b"/")[2]: entry for path, entry in by_path.items()}
    seen = bytearray(cut.chunk_count)
    where = array("I", bytes(4 * old.chunk_count))
    for entry in cut.files():
        path = cut.entries.paths[entry]
        old_entry = by_path.get(path, by_name.get(path.rpartition(b"/")[2]))
        old_chunks = old.chunks_of(old_entry) if old_entry is not None else array("I")
        chunks = cut.chunks_of(entry)
        numbers = array("I", (one_more(known.find(cut.hash(chunk))) for chunk in chunks))
        for position, chunk in enumerate(old_chunks):
            where[chunk] = position + 1
        yield from _pieces_of_file(cut, chunks, numbers, old, old_chunks, where, seen)
        for chunk in old_chunks:
            where[chunk] = 0


def one_more(number: int | None) -> int:
    """For arrays, in which 0 stands for None."""
    return 0 if number is None else number + 1


def _pieces_of_file(
    cut: Index,
    chunks: array[int],
    numbers: array[int],
    old: Index,
    old_chunks: array[int],
    where: array[int],
    seen: bytearray,
) -> Iterator[Piece]:
    """`numbers`: those of the chunks in `old`. `where`: positions in `old_chunks`, by number in `old`. Both are one
    more, or 0 for None. `seen` is marked."""
    base = _OldFile(old_chunks, array("Q", accumulate(map(old.length, old_chunks), initial=0)))
    before = 0  # position in old_chunks behind the last chunk that both have
    position = 0
    while position < len(chunks):
        if number := numbers[position]:
            before = where[number - 1] or before
            position += 1
            continue
        end = position
        while end < len(chunks) and not numbers[end]:
            end += 1
        following = where[numbers[end] - 1] if end < len(chunks) else 0
        after = following - 1 if following else len(old_chunks)
        run = dict.fromkeys(chunk for chunk in chunks[position:end] if not seen[chunk])
        for chunk in run:
            seen[chunk] = 1
        yield from _split(cut, list(run), base, before, max(after, before))
        position = end


@dataclass(frozen=True)
class _OldFile:
    """The chunks of an old file. `starts`: where each begins in it, and at last its size."""

    chunks: array[int]
    starts: array[int]


def _split(cut: Index, made: list[int], base: _OldFile, begin: int, end: int) -> Iterator[Piece]:
    """Pieces that fit a record, each with the parts of the base where its like would be: chunks of the old file from
    `begin` to `end`."""
    grown = base.starts[end] - base.starts[begin] - sum(map(cut.length, made))
    piece: list[int] = []
    start = size = 0
    for chunk in [*made, None]:
        length = cut.length(chunk) if chunk is not None else 0
        if piece and (chunk is None or size + length > MAX_MADE_BYTES):
            yield Piece(piece, _windows(base, begin, end, start, size, grown))
            piece, start, size = [], start + size, 0
        if chunk is not None:
            piece.append(chunk)
            size += length


def _windows(base: _OldFile, begin: int, end: int, start: int, size: int, grown: int) -> list[int]:
    """The chunks of the base around the `size` bytes from `start`, and around those that are as far from its end:
    content before an edit keeps its distance from the beginning, and content behind it from the end. `grown` is how
    many bytes longer the base is. Never more than MAX_BASE_BYTES. Only these chunks are looked at: a hostile file can
    have a hundred thousand pieces beside all of its old chunks."""
    apart = (MAX_BASE_BYTES - 2 * size) // 4  # when the two windows do not touch
    together = (MAX_BASE_BYTES - size - abs(grown)) // 2
    spread = max(0, min(_BASE_SPREAD, max(apart, together)))
    starts, offset = base.starts, base.starts[begin]
    chosen: set[int] = set()
    for first in (offset + start, offset + start + grown):
        from_ = bisect_right(starts, max(0, first - spread), begin, end + 1) - 1
        to = bisect_left(starts, max(0, first + size + spread), begin, end)
        chosen.update(range(max(from_, begin), to))
    found: list[int] = []
    taken = 0
    for position in sorted(chosen):
        length = starts[position + 1] - starts[position]
        if taken + length <= MAX_BASE_BYTES:
            found.append(base.chunks[position])
            taken += length
    return found
