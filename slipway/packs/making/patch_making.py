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
_NEARLY_ALL_KNOWN = 1 / 32  # of its bytes are in the frame, at most
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


def group_pieces(cut: Index, old: Index, pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Promising pieces together, and the others, as many as fit a record: the two take another effort."""
    groups: dict[bool, _Group] = {}
    for piece in pieces:
        group = groups.get(piece.promising)
        if group is None or not group.join(piece):
            if group is not None:
                yield group.piece()
            groups[piece.promising] = _Group(cut, old, piece)
    for group in groups.values():
        yield group.piece()


class _Group:
    """Pieces that share a record. To join one takes no longer when there are many: a build can have as many as small
    files."""

    def __init__(self, cut: Index, old: Index, first: Piece) -> None:
        self._cut, self._old = cut, old
        self._promising = first.promising
        self._made = list(first.made)
        self._base = dict.fromkeys(first.base)
        self._made_bytes = sum(map(cut.length, self._made))
        self._base_bytes = sum(map(old.length, self._base))

    def join(self, piece: Piece) -> bool:
        """Add the piece. False if that would be too much for one record."""
        base = [chunk for chunk in dict.fromkeys(piece.base) if chunk not in self._base]
        made_bytes = self._made_bytes + sum(map(self._cut.length, piece.made))
        base_bytes = self._base_bytes + sum(map(self._old.length, base))
        if made_bytes > MAX_MADE_BYTES or base_bytes > MAX_BASE_BYTES:
            return False
        self._made += piece.made
        self._base |= dict.fromkeys(base)
        self._made_bytes, self._base_bytes = made_bytes, base_bytes
        return True

    def piece(self) -> Piece:
        """All of them as one."""
        return Piece(self._made, list(self._base), self._promising)


class _RecordMaker:
    def __init__(self, pair: BuildPair, check: Check | None) -> None:
        self._pair, self._check = pair, check
        self._squeezed = 0

    def records(self, pieces: Iterable[Piece]) -> Iterator[NewRecord]:
        """Pieces that follow each other share a record, and what they have in common is stored once."""
        size = count = base_bytes = 0
        for group in group_pieces(self._pair.cut, self._pair.old, pieces):
            record = self._record(group)
            if record is None:
                continue
            size, count, base_bytes = size + len(record.frame), count + 1, base_bytes + self._size(group.base)
            # The table takes far less than the MiB that is left for it.
            if size > MAX_PATCH_BYTES - 2**20 or count > MAX_RECORDS or base_bytes > MAX_BASE_BYTES_IN_ALL:
                return
            yield record

    def _size(self, base: list[int]) -> int:
        return sum(map(self._pair.old.length, base))

    def _record(self, piece: Piece) -> NewRecord | None:
        made = join_chunks(self._pair.cut_content, piece.made)
        base = join_chunks(self._pair.old_content, piece.base)
        if made is None or base is None:  # damaged since it was tried
            return None
        return NewRecord(piece.made, piece.base, self._frame(made, base, piece.promising))

    def _frame(self, made: bytes, base: bytes, promising: bool) -> bytes:
        """A large piece that is nearly all in its base comes out as small at half the effort."""
        frames = []
        if promising and len(made) > _LARGE_PIECE:
            frames.append(compress(made, base, Effort.GOOD, check=self._check))
            if len(frames[0]) <= _NEARLY_ALL_KNOWN * len(made):
                return frames[0]
        self._squeezed += len(made)
        effort = Effort.BEST if self._squeezed <= _MAX_SQUEEZED_BYTES else Effort.QUICK
        frames.append(compress(made, base, effort, check=self._check))
        return min(frames, key=len)
