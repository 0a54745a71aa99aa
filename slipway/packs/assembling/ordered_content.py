"""The content of a build's files from first to last, without a disk: a few windows of chunks are fetched ahead."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from slipway.packs.chunk_fetching import RangeFetcher
from slipway.packs.chunk_lookup import ChunkLookup
from slipway.packs.format.index import Index
from slipway.packs.format.refusals import ChunksDamaged
from slipway.packs.range_sources import RangeSource
from slipway.packs.transfer_plan import ranges_of

_WINDOW_BYTES = 8 * 2**20  # of different chunks, unpacked
_MAX_WINDOW_REFERENCES = 2**16
_THREADS = 3
_ATTEMPTS = 3

Window = tuple[int, int]  # positions in the references


@dataclass(frozen=True)
class ChunkPart:
    """Some of the chunks, in one object: numbers, places and lengths are those of `index`. `name` is for errors."""

    index: Index
    source: RangeSource
    name: str


class OrderedContent:
    """Reads the chunks that the files of `table` are made of. The first of `parts` has the table's own numbers and is
    used for chunks that no other part has."""

    def __init__(self, table: Index, parts: Sequence[ChunkPart]) -> None:
        self._table, self._parts = table, parts
        # Which part has each chunk, and its number there.
        self._part_of = bytearray(table.chunk_count)
        self._number_of = array("I", range(table.chunk_count))
        for number, part in enumerate(parts[1:], start=1):
            self._assign(number, part)

    def read(self) -> Generator[bytes]:
        """The content of all references of the table, in order. At most four windows are in memory.

        Raises ChunksDamaged when a part does not hold what the table promises, and what the sources raise.
        """
        references = self._table.entries.references
        waiting: deque[tuple[Window, Future[dict[int, bytes]]]] = deque()
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="content") as pool:
            try:
                for window in self._windows():
                    waiting.append((window, pool.submit(self._fetch, window)))
                    if len(waiting) >= _THREADS:
                        yield from self._in_order(references, *waiting.popleft())
                while waiting:
                    yield from self._in_order(references, *waiting.popleft())
            finally:
                for _, fetched in waiting:
                    fetched.cancel()

    def _assign(self, number: int, part: ChunkPart) -> None:
        known = ChunkLookup(part.index)
        for chunk in range(self._table.chunk_count):
            found = known.find(self._table.hash(chunk))
            if found is not None:
                self._part_of[chunk], self._number_of[chunk] = number, found

    def _in_order(self, references: array[int], window: Window, fetched: Future[dict[int, bytes]]) -> Iterator[bytes]:
        content = fetched.result()
        for position in range(*window):
            yield content[references[position]]

    def _windows(self) -> Iterator[Window]:
        references = self._table.entries.references
        start, size = 0, 0
        seen: set[int] = set()
        for position, chunk in enumerate(references):
            if chunk not in seen:
                seen.add(chunk)
                size += self._table.length(chunk)
            if size >= _WINDOW_BYTES or position - start >= _MAX_WINDOW_REFERENCES:
                yield start, position + 1
                start, size = position + 1, 0
                seen.clear()
        if start < len(references):
            yield start, len(references)

    def _fetch(self, window: Window) -> dict[int, bytes]:
        missing = set(self._table.entries.references[window[0] : window[1]])
        content: dict[int, bytes] = {}
        for number, part in enumerate(self._parts):
            chunks = {self._number_of[chunk]: chunk for chunk in missing if self._part_of[chunk] == number}
            if chunks:
                self._fetch_from(part, chunks, content)
        return content

    def _fetch_from(self, part: ChunkPart, chunks: dict[int, int], content: dict[int, bytes]) -> None:
        """`chunks` maps numbers in the part to numbers in the table."""

        def arrived(number: int, view: memoryview) -> None:
            content[chunks[number]] = bytes(view)
            wanted[number] = 0

        wanted = bytearray(part.index.chunk_count)
        for number in chunks:
            wanted[number] = 1
        fetcher = RangeFetcher(part.index, part.source, lambda _: None)
        for _ in range(_ATTEMPTS):
            for found in list(ranges_of(part.index, wanted)):
                fetcher.fetch(found, lambda number: bool(wanted[number]), arrived)
            if wanted.find(1) < 0:
                return
        raise ChunksDamaged(f"A chunk in {part.name} is not what its hash promises, after {_ATTEMPTS} attempts")
