"""Making the records of a patch: what of a new build is like something of an old one, and so small beside it.

Worth it for files with edits everywhere, whose chunks are all new although most of their bytes are not.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from slipway.packs.chunk_content import ChunkContent
from slipway.packs.chunk_lookup import ChunkLookup
from slipway.packs.format.index import Index
from slipway.packs.format.patch_format import (
    MAX_BASE_BYTES,
    MAX_BASE_BYTES_IN_ALL,
    MAX_MADE_BYTES,
    MAX_PATCH_BYTES,
    MAX_RECORDS,
)
from slipway.packs.format.zstd_frames import Check, Effort, compress
from slipway.packs.making.chunk_packing import ChunkPacker

MAX_TRIED_BYTES = 256 * 2**20
"""New bytes that are tried; the rest of a larger update stays with the pack."""

_LEAST_SAVED = 64  # bytes, against what the chunks take in the pack
_PROMISING = 0.5  # of what it makes: a base that is like it
_LARGE_PIECE = 2 * 2**20
_MAX_SQUEEZED_BYTES = 32 * 2**20  # at the best level, which takes seconds for each 10 MiB
_BASE_SPREAD = 2 * 2**20  # of a long old file, how much more than the proportional piece is looked at on each side


@dataclass
class _Piece:
    """Chunks that stand together in a file, and the old chunks that were there."""

    made: list[int]
    base: list[int]
    promising: bool = True


@dataclass
class NewRecord:
    """Numbers of the chunks it makes and of those it is made from, and the frame."""

    made: list[int]
    base: list[int]
    frame: bytes = field(repr=False)


def make_records(
    cut: Index, cut_content: ChunkContent, old: Index, old_content: ChunkContent, check: Check | None = None
) -> list[NewRecord]:
    """The records that are worth their bytes; `made` are numbers in `cut`, `base` in `old`.

    Old chunks that cannot be read any more are left out. Raises what reading raises. `check` is called several times a
    second, also while a record is compressed, which takes seconds; it may raise.
    """
    maker = _PatchMaker(cut, cut_content, old, old_content, check)
    return list(maker.records(maker.worthwhile(_pieces(cut, old))))


class _PatchMaker:
    def __init__(
        self, cut: Index, cut_content: ChunkContent, old: Index, old_content: ChunkContent, check: Check | None
    ) -> None:
        self._cut, self._cut_content, self._old, self._old_content = cut, cut_content, old, old_content
        self._check = check
        self._squeezed = 0

    def worthwhile(self, pieces: Iterable[_Piece]) -> Iterator[_Piece]:
        """Tries each by itself, at a speed that publishing can bear."""
        tried = 0
        for piece in pieces:
            made = self._join(self._cut_content, piece.made)
            base = self._join(self._old_content, piece.base)
            if made is None or base is None:
                continue
            tried += len(made)
            if tried > MAX_TRIED_BYTES:
                return
            beside = len(compress(made, base, Effort.QUICK, check=self._check))
            if beside <= self._stored(piece.made) - _LEAST_SAVED:
                yield replace(piece, promising=beside <= _PROMISING * len(made))

    def records(self, pieces: Iterable[_Piece]) -> Iterator[NewRecord]:
        """Pieces that follow each other share a record, and what they have in common is stored once."""
        size = count = base_bytes = 0
        for group in self._groups(pieces):
            record = self._record(group)
            if record is None:
                continue
            size, count, base_bytes = size + len(record.frame), count + 1, base_bytes + self._size(group.base)
            # The table takes far less than the MiB that is left for it.
            if size > MAX_PATCH_BYTES - 2**20 or count > MAX_RECORDS or base_bytes > MAX_BASE_BYTES_IN_ALL:
                return
            yield record

    def _groups(self, pieces: Iterable[_Piece]) -> Iterator[_Piece]:
        group = _Piece([], [])
        for piece in pieces:
            joined = _Piece(group.made + piece.made, _without_repeats(group.base + piece.base), piece.promising)
            if group.made and (piece.promising != group.promising or not self._fits(joined)):
                yield group
                joined = piece
            group = joined
        if group.made:
            yield group

    def _fits(self, piece: _Piece) -> bool:
        made = sum(map(self._cut.length, piece.made))
        return made <= MAX_MADE_BYTES and self._size(piece.base) <= MAX_BASE_BYTES

    def _size(self, base: list[int]) -> int:
        return sum(map(self._old.length, base))

    def _record(self, piece: _Piece) -> NewRecord | None:
        made, base = self._join(self._cut_content, piece.made), self._join(self._old_content, piece.base)
        if made is None or base is None:  # damaged since it was tried
            return None
        frame = compress(made, base, self._effort(piece, len(made)), check=self._check)
        return NewRecord(piece.made, piece.base, frame)

    def _effort(self, piece: _Piece, size: int) -> Effort:
        """Beside a base that is like it, a large piece comes out as small at half the effort."""
        if piece.promising and size > _LARGE_PIECE:
            return Effort.GOOD
        self._squeezed += size
        return Effort.BEST if self._squeezed <= _MAX_SQUEEZED_BYTES else Effort.QUICK

    def _stored(self, chunks: list[int]) -> int:
        """What they take in the pack."""
        packer = ChunkPacker()
        views = map(self._cut_content.read, chunks)
        return sum(len(packer.pack(view)) for view in views if view is not None)

    @staticmethod
    def _join(content: ChunkContent, chunks: list[int]) -> bytes | None:
        joined = bytearray()
        for chunk in chunks:
            view = content.read(chunk)
            if view is None:
                return None
            joined += view
        return bytes(joined)


def _without_repeats(chunks: list[int]) -> list[int]:
    return list(dict.fromkeys(chunks))


def _pieces(cut: Index, old: Index) -> Iterator[_Piece]:
    """Each run of new chunks in a file beside what stood in its place in the old build's file of the same path, or of
    the same name."""
    known = ChunkLookup(old)
    by_path = {old.entries.paths[entry]: entry for entry in old.files()}
    by_name = {path.rpartition(b"/")[2]: entry for path, entry in by_path.items()}
    seen = bytearray(cut.chunk_count)
    where = array("I", bytes(4 * old.chunk_count))
    for entry in cut.files():
        path = cut.entries.paths[entry]
        old_entry = by_path.get(path, by_name.get(path.rpartition(b"/")[2]))
        old_chunks = old.chunks_of(old_entry) if old_entry is not None else array("I")
        chunks = cut.chunks_of(entry)
        numbers = array("I", (_one_more(known.find(cut.hash(chunk))) for chunk in chunks))
        for position, chunk in enumerate(old_chunks):
            where[chunk] = position + 1
        yield from _pieces_of_file(cut, chunks, numbers, old, old_chunks, where, seen)
        for chunk in old_chunks:
            where[chunk] = 0


def _one_more(number: int | None) -> int:
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
) -> Iterator[_Piece]:
    """`numbers`: those of the chunks in `old`. `where`: positions in `old_chunks`, by number in `old`. Both are one
    more, or 0 for None. `seen` is marked."""
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
        between = old_chunks[before : max(after, before)]
        run = dict.fromkeys(chunk for chunk in chunks[position:end] if not seen[chunk])
        for chunk in run:
            seen[chunk] = 1
        yield from _split(cut, list(run), old, between)
        position = end


def _split(cut: Index, made: list[int], old: Index, base: array[int]) -> Iterator[_Piece]:
    """Pieces that fit a record, each with the part of the base around the same share of it."""
    made_bytes, base_bytes = sum(map(cut.length, made)), sum(map(old.length, base))
    piece: list[int] = []
    start = size = 0
    for chunk in [*made, None]:
        length = cut.length(chunk) if chunk is not None else 0
        if piece and (chunk is None or size + length > MAX_MADE_BYTES):
            share = base_bytes / made_bytes
            yield _Piece(piece, _window(old, base, int(start * share), int((start + size) * share)))
            piece, start, size = [], start + size, 0
        if chunk is not None:
            piece.append(chunk)
            size += length


def _window(old: Index, base: array[int], start: int, end: int) -> list[int]:
    """The chunks of the base that lie around the bytes from `start` to `end` of it, never more than MAX_BASE_BYTES."""
    spread = min(_BASE_SPREAD, max(0, (MAX_BASE_BYTES - (end - start)) // 2))
    found: list[int] = []
    position = size = 0
    for chunk in base:
        length = old.length(chunk)
        if position + length > start - spread and position < end + spread and size + length <= MAX_BASE_BYTES:
            found.append(chunk)
            size += length
        position += length
    return found
