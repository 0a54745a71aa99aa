"""Making the records of a patch: what of a new build is like something of an old one, and so small beside it.

Worth it for files with edits everywhere, whose chunks are all new although most of their bytes are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

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
from slipway.packs.making.patch_pieces import BuildPair, Piece, join_chunks, pieces_of
from slipway.packs.making.patch_trials import PatchTrials

_LARGE_PIECE = 2 * 2**20
_MAX_SQUEEZED_BYTES = 32 * 2**20  # at the best level, which takes seconds for each 10 MiB


@dataclass
class NewRecord:
    """Numbers of the chunks it makes and of those it is made from, and the frame."""

    made: list[int]
    base: list[int]
    frame: bytes = field(repr=False)


def make_records(
    cut: Index,
    cut_content: ChunkContent,
    old: Index,
    old_content: ChunkContent,
    check: Check | None = None,
    *,
    search_kept: bool = False,
) -> list[NewRecord]:
    """The records that are worth their bytes; `made` are numbers in `cut`, `base` in `old`.

    With `search_kept`, all of `cut_content` is read if that can save something: chunks of both builds may be like new
    ones, wherever they are. Old chunks that cannot be read any more are left out. Raises what reading raises. `check`
    is called several times a second, also while a record is compressed, which takes seconds; it may raise.
    """
    pair = BuildPair(cut, cut_content, old, old_content)
    known = ChunkLookup(old)
    trials = PatchTrials(pair, check)
    trials.try_pieces(pieces_of(cut, old, known))
    trials.search(known, search_kept=search_kept)
    return list(_RecordMaker(pair, check).records(trials.worthwhile()))


class _RecordMaker:
    def __init__(self, pair: BuildPair, check: Check | None) -> None:
        self._pair, self._check = pair, check
        self._squeezed = 0

    def records(self, pieces: Iterable[Piece]) -> Iterator[NewRecord]:
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

    def _groups(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """Promising pieces together, and the others: those take another effort."""
        groups: dict[bool, Piece] = {}
        for piece in pieces:
            group = groups.get(piece.promising)
            if group is None:
                groups[piece.promising] = piece
                continue
            joined = Piece(group.made + piece.made, list(dict.fromkeys(group.base + piece.base)), piece.promising)
            if self._fits(joined):
                groups[piece.promising] = joined
            else:
                yield group
                groups[piece.promising] = piece
        yield from groups.values()

    def _fits(self, piece: Piece) -> bool:
        made = sum(map(self._pair.cut.length, piece.made))
        return made <= MAX_MADE_BYTES and self._size(piece.base) <= MAX_BASE_BYTES

    def _size(self, base: list[int]) -> int:
        return sum(map(self._pair.old.length, base))

    def _record(self, piece: Piece) -> NewRecord | None:
        made = join_chunks(self._pair.cut_content, piece.made)
        base = join_chunks(self._pair.old_content, piece.base)
        if made is None or base is None:  # damaged since it was tried
            return None
        frame = compress(made, base, self._effort(piece, len(made)), check=self._check)
        return NewRecord(piece.made, piece.base, frame)

    def _effort(self, piece: Piece, size: int) -> Effort:
        """Beside a base that is like it, a large piece comes out as small at half the effort."""
        if piece.promising and size > _LARGE_PIECE:
            return Effort.GOOD
        self._squeezed += size
        return Effort.BEST if self._squeezed <= _MAX_SQUEEZED_BYTES else Effort.QUICK
