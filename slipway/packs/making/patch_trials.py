"""Trying which pieces of a new build are worth a patch, and from what."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from slipway.packs.chunk_lookup import ChunkLookup
from slipway.packs.format.patch_format import MAX_BASE_BYTES
from slipway.packs.format.zstd_frames import Check, Effort, compress
from slipway.packs.making.chunk_packing import ChunkPacker
from slipway.packs.making.patch_pieces import BuildPair, Piece, join_chunks, one_more
from slipway.packs.making.similar_chunks import SimilarChunks

MAX_TRIED_BYTES = 256 * 2**20
"""New bytes that are tried; the rest of a larger update stays with the pack."""

MAX_TRIED_PIECES = 100_000
"""Pieces that are tried: each takes about a kilobyte of memory, and a build can have five times as many files."""

MAX_TRIED_BASE_BYTES = 2 * 2**30
"""Old bytes that they are tried beside. A base of 16 MiB takes half a second, however small the piece is."""

MIN_SEARCHED_BYTES = 64 * 2**10
"""Where bases lack less new content, the old build is not read: too little can be saved."""

_LEAST_SAVED = 64  # bytes, against what the chunks take in the pack
_PROMISING = 0.5  # of the bytes in the pack: a base that is like it
_MAX_SIMILAR_BYTES = 4 * 2**20  # from elsewhere in the old build, for one piece
_MAX_DROPPED_BYTES = 64 * 2**20  # of what only the old build has: it may come from storage, chunk by chunk


@dataclass(slots=True)
class _Trial:
    """A piece, the bytes that it takes in the pack, those of a patch from its base (about), and marks of what the
    base lacks."""

    piece: Piece
    stored: int
    size: int
    marks: Sequence[int]


class PatchTrials:
    """Call `try_pieces`, then `search`, then `worthwhile`. All raise what reading raises."""

    def __init__(self, pair: BuildPair, check: Check | None) -> None:
        """`check` is called again and again, and may raise."""
        self._pair, self._check = pair, check
        self._packer = ChunkPacker()
        self._similar = SimilarChunks()
        self._base_bytes = 0
        self._trials: list[_Trial] = []

    def try_pieces(self, pieces: Iterable[Piece]) -> None:
        """Tries each by itself beside its base, at a speed that publishing can bear."""
        tried = 0
        for piece in islice(pieces, MAX_TRIED_PIECES):
            made = join_chunks(self._pair.cut_content, piece.made)
            base = join_chunks(self._pair.old_content, piece.base)
            if made is None or base is None:
                continue
            tried += len(made)
            if tried > MAX_TRIED_BYTES or not self._may_try_beside(base):
                return
            size, stored = self._size(made, base), self._stored(piece.made)
            piece.promising = size <= _PROMISING * stored
            self._trials.append(_Trial(piece, stored, size, self._similar.seek(made, base)))

    def search(self, known: ChunkLookup, *, search_kept: bool) -> None:
        """Looks through the old build for what the pieces have and their bases lack. `known` finds its chunks."""
        if sum(map(self._lacking, self._trials)) < MIN_SEARCHED_BYTES:
            return
        cut, old = self._pair.cut, self._pair.old
        numbers = array("I", (one_more(known.find(cut.hash(chunk))) for chunk in range(cut.chunk_count)))
        dropped = bytearray(b"\1") * old.chunk_count
        for number in numbers:
            if number:
                dropped[number - 1] = 0
        self._similar.search(self._pair.old_content, self._pairs_of(dropped), self._check)
        if search_kept:
            kept = ((chunk, number - 1) for chunk, number in enumerate(numbers) if number)
            self._similar.search(self._pair.cut_content, kept, self._check)

    def worthwhile(self) -> Iterator[Piece]:
        """Those that a patch makes smaller than the pack has them."""
        for trial in self._trials:
            self._try_similar(trial)
            if trial.size <= trial.stored - _LEAST_SAVED:
                yield trial.piece

    def _lacking(self, trial: _Trial) -> int:
        """About how many bytes of new content the base lacks and a search looks for."""
        if not trial.marks:
            return 0
        return trial.size if trial.piece.promising else sum(map(self._pair.cut.length, trial.piece.made))

    def _pairs_of(self, dropped: bytearray) -> Iterator[tuple[int, int]]:
        size = 0
        chunk = dropped.find(1)
        while chunk >= 0:
            size += self._pair.old.length(chunk)
            if size > _MAX_DROPPED_BYTES:
                return
            yield chunk, chunk
            chunk = dropped.find(1, chunk + 1)

    def _try_similar(self, trial: _Trial) -> None:
        """Adds chunks from elsewhere to the base of the piece, if that saves something."""
        made_of = self._with_similar(trial)
        if made_of == trial.piece.base:
            return
        made = join_chunks(self._pair.cut_content, trial.piece.made)
        base = join_chunks(self._pair.old_content, made_of)
        if made is None or base is None or not self._may_try_beside(base):
            return
        size = self._size(made, base)
        if size <= trial.size - _LEAST_SAVED:
            trial.size = size
            trial.piece = Piece(trial.piece.made, made_of, size <= _PROMISING * trial.stored)

    def _with_similar(self, trial: _Trial) -> list[int]:
        """The base with similar chunks. Where there is no room for both, the end of the base is left out."""
        similar = self._take(self._similar.found(trial.marks), _MAX_SIMILAR_BYTES)
        rest = MAX_BASE_BYTES - sum(map(self._pair.old.length, similar))
        taken = set(similar)
        return self._take((chunk for chunk in trial.piece.base if chunk not in taken), rest) + similar

    def _take(self, chunks: Iterable[int], room: int) -> list[int]:
        """The first of the chunks that have room together."""
        taken: list[int] = []
        for chunk in chunks:
            room -= self._pair.old.length(chunk)
            if room < 0:
                break
            taken.append(chunk)
        return taken

    def _may_try_beside(self, base: bytes) -> bool:
        """Counts the base. False if that would be too much."""
        if self._base_bytes + len(base) > MAX_TRIED_BASE_BYTES:
            return False
        self._base_bytes += len(base)
        return True

    def _size(self, made: bytes, base: bytes) -> int:
        return len(compress(made, base, Effort.QUICK, check=self._check))

    def _stored(self, chunks: list[int]) -> int:
        """What they take in the pack."""
        views = map(self._pair.cut_content.read, chunks)
        return sum(len(self._packer.pack(view)) for view in views if view is not None)
