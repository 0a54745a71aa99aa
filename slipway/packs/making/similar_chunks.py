"""Finding chunks of an old build that share a part with new content, wherever they are: a picture made from another, or
a file that was copied under another name and then changed.

Content is cut finely, only to find places that depend on nothing but the 64 bytes before them. The hash of these bytes
is a mark. Where two chunks have a mark in common, they are likely to be alike around it. That is a hint: whether a
patch becomes smaller is decided by making it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush

from pyfastcdc.cy import FastCDC

from slipway.packs.chunk_content import ChunkContent
from slipway.packs.format.zstd_frames import Check

_MAX_MARKS = 84_000  # 32 MiB of noise have as many; they take 15 MiB of memory
_MAX_PLACES = 4  # of a mark: what many chunks have in common, the first of them have
_HASHED_BYTES = 64
_MIN_CUT_BYTES = 64
_CUTTER = FastCDC(256, min_size=_MIN_CUT_BYTES, max_size=2**16, normalized_chunking=0)


class SimilarChunks:
    """Call `seek` with all new content, then `search` the old build, then ask what was `found`."""

    def __init__(self) -> None:
        self._places: dict[int, tuple[int, ...]] = {}  # by mark: numbers of old chunks
        self._sought = 0  # marks

    def seek(self, content: bytes, base: bytes = b"") -> Sequence[int]:
        """Marks of new content that its base lacks, for `found`. Searches look for them. None when too many are sought
        already."""
        marks = dict.fromkeys(_marks_of(content))
        for mark in _marks_of(base):
            marks.pop(mark, None)
        if self._sought + len(marks) > _MAX_MARKS:
            return ()
        self._sought += len(marks)
        for mark in marks:
            self._places.setdefault(mark, ())
        return tuple(marks)

    def search(self, content: ChunkContent, chunks: Iterable[tuple[int, int]], check: Check | None = None) -> None:
        """Read old chunks: pairs of the number in `content` and the number that `found` returns. Ends at the first that
        cannot be read: the pack is lost, or damaged. `check` is called before each, and may raise."""
        places = self._places
        for chunk, number in chunks:
            if check:
                check()
            view = content.read(chunk)
            if view is None:
                return
            for mark in _marks_of(view):
                at = places.get(mark)
                if at is not None and len(at) < _MAX_PLACES and number not in at:
                    places[mark] = (*at, number)

    def found(self, marks: Sequence[int]) -> Iterator[int]:
        """Old chunks that have these marks: first the one with the most, then the one with the most of the others."""
        marks_of: dict[int, list[int]] = {}
        for mark in marks:
            for chunk in self._places[mark]:
                marks_of.setdefault(chunk, []).append(mark)
        left = {chunk: len(having) for chunk, having in marks_of.items()}
        # A chunk comes again with each smaller number. To count all chunks anew for each that is found would take
        # minutes for a build of very small files.
        best = [(-count, chunk) for chunk, count in left.items()]
        heapify(best)
        covered: set[int] = set()
        while best:
            count, chunk = heappop(best)
            if not left[chunk] or left[chunk] != -count:
                continue
            yield chunk
            for other in self._cover(marks_of[chunk], covered, left):
                heappush(best, (-left[other], other))

    def _cover(self, marks: Iterable[int], covered: set[int], left: dict[int, int]) -> set[int]:
        """Count the marks as covered. Returns the chunks that have some of them."""
        changed = set()
        for mark in marks:
            if mark not in covered:
                covered.add(mark)
                for chunk in self._places[mark]:
                    left[chunk] -= 1
                    changed.add(chunk)
        return changed


def _marks_of(content: bytes | memoryview) -> Iterator[int]:
    # A hash begins where the first cut may be. One of fewer bytes depends on where that was.
    shortest = _MIN_CUT_BYTES + _HASHED_BYTES
    return (cut.gear_hash for cut in _CUTTER.cut_buf(content) if cut.length >= shortest)
