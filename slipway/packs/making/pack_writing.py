"""Writing the chunks of a cut directory as a pack: the second of two passes."""

from __future__ import annotations

import threading
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from slipway.packs.chunk_content import LocalContent
from slipway.packs.chunk_lookup import ChunkLookup
from slipway.packs.format.chunk_places import ChunkPlaces
from slipway.packs.format.index import Chunks, Entries, Generation, Index
from slipway.packs.format.pack_format import HASH_BYTES, MAX_GENERATIONS
from slipway.packs.format.refusals import TransferCancelled, TreeUnsuitable
from slipway.packs.making.chunk_packing import ChunkPacker
from slipway.packs.making.tree_cutting import Cancelled, Progress

_BATCH_BYTES = 2 * 2**20  # packed by one thread at a time
_BATCHES_WAITING = 4
_THREADS = 2


def write_pack(
    cut: Index,
    root: Path,
    sink: BinaryIO,
    *,
    build: int,
    older: Index | None = None,
    last: Sequence[int] = (),
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Index:
    """Write the chunks of `cut`, the index of `cut_tree(root)`, to `sink`; return the index of what was written.

    `build` numbers this build, `older` is the index of the build before it: chunks that it has keep its order, behind
    the new ones. `last` (numbers in `cut`) stand at the end of the new ones, in their order: those that a patch makes,
    so that an update leaves them out and still is one range. `progress` gets the unpacked bytes written so far.

    Raises TreeUnsuitable when a file changed since it was cut, TransferCancelled, and OSError.
    """
    order, generations = order_chunks(cut, build, older, last)
    stored = write_chunks(cut, root, order, sink, progress=progress, cancelled=cancelled)
    return reordered(cut, order, generations, stored)


def write_chunks(
    cut: Index,
    root: Path,
    chunks: Sequence[int],
    sink: BinaryIO,
    *,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> array[int]:
    """Write some chunks of `cut` in this order; returns how many bytes each takes. Progress and errors as
    `write_pack`."""
    stored = array("I")
    done = 0
    with _Packing(cut, root) as packing:
        for batch, packed in packing.run(chunks):
            if cancelled and cancelled():
                raise TransferCancelled("writing chunks was cancelled")
            for content in packed:
                sink.write(content)
                stored.append(len(content))
            done += sum(cut.length(chunk) for chunk in batch)
            if progress:
                progress(done)
    return stored


def order_chunks(
    cut: Index, build: int, older: Index | None, last: Sequence[int]
) -> tuple[array[int], list[Generation]]:
    """The chunks of `cut` in the order of the pack, newest generation first."""
    if older is None:
        older = Index(cut.rules, [], Entries([], bytearray(), {}, array("I", [0]), array("I")), _NO_CHUNKS)
    if older.generations and build <= older.generations[0].build:
        raise ValueError(f"build {build} is not newer than build {older.generations[0].build}")
    known = ChunkLookup(older)
    at_end = set(last)
    new = array("I")
    kept = array("I", [0]) * older.chunk_count  # by number in `older`: number in `cut` and one, or 0
    for chunk in range(cut.chunk_count):
        number = known.find(cut.hash(chunk))
        if number is not None:
            kept[number] = chunk + 1
        elif chunk not in at_end:
            new.append(chunk)
    new.extend(chunk for chunk in last if known.find(cut.hash(chunk)) is None)
    generations = [Generation(build, len(new))] if new else []
    generations += _surviving(older.generations, array("I", (number for number, found in enumerate(kept) if found)))
    return new + array("I", (found - 1 for found in kept if found)), generations


_NO_CHUNKS = Chunks(b"", array("I"), array("I"))


def _surviving(generations: list[Generation], numbers: Sequence[int]) -> list[Generation]:
    """The older generations without the chunks that are gone; `numbers` are those that stay, ascending."""
    found: list[Generation] = []
    position = end = 0
    for generation in generations:
        end += generation.chunks
        start = position
        while position < len(numbers) and numbers[position] < end:
            position += 1
        if position > start:
            found.append(Generation(generation.build, position - start))
    while len(found) >= MAX_GENERATIONS:
        oldest, second = found.pop(), found.pop()
        found.append(Generation(second.build, second.chunks + oldest.chunks))
    return found


class _Packing:
    """Reads, checks and compresses chunks in threads, and gives them back in order."""

    def __init__(self, cut: Index, root: Path) -> None:
        self._cut, self._root = cut, root
        self._places = ChunkPlaces(cut)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="pack")
        self._own = threading.local()
        self._opened: list[LocalContent] = []

    def run(self, order: Sequence[int]) -> Iterator[tuple[list[int], list[bytes]]]:
        waiting: deque[tuple[list[int], Future[list[bytes]]]] = deque()
        for batch in self._batches(order):
            waiting.append((batch, self._pool.submit(self._pack, batch)))
            if len(waiting) >= _BATCHES_WAITING:
                numbers, packed = waiting.popleft()
                yield numbers, packed.result()
        for numbers, packed in waiting:
            yield numbers, packed.result()

    def _batches(self, order: Sequence[int]) -> Iterator[list[int]]:
        batch: list[int] = []
        size = 0
        for chunk in order:
            batch.append(chunk)
            size += self._cut.length(chunk)
            if size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _pack(self, batch: list[int]) -> list[bytes]:
        if not hasattr(self._own, "content"):
            self._own.content = LocalContent(self._root, self._cut, self._places)
            self._own.packer = ChunkPacker()
            self._opened.append(self._own.content)
        content: LocalContent = self._own.content
        packer: ChunkPacker = self._own.packer
        packed = []
        for chunk in batch:
            view = content.read(chunk)
            if view is None:
                path = self._cut.path(self._places.first(chunk).entry)
                raise TreeUnsuitable(f"{path} changed while it was being read")
            packed.append(packer.pack(view))
        return packed

    def __enter__(self) -> _Packing:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for content in self._opened:
            content.close()


def reordered(cut: Index, order: array[int], generations: list[Generation], stored: array[int]) -> Index:
    """The same index with its chunks in another order; `stored` has their stored lengths, in that order. It reads the
    hashes of `cut`."""
    numbers = array("I", [0]) * len(order)
    for number, chunk in enumerate(order):
        numbers[chunk] = number
    references = array("I", (numbers[chunk] for chunk in cut.entries.references))
    entries = Entries(
        cut.entries.paths, cut.entries.kinds, cut.entries.targets, cut.entries.reference_starts, references
    )
    lengths = array("I", map(cut.length, order))
    return Index(cut.rules, generations, entries, Chunks(_ReorderedHashes(cut, order), lengths, stored))


class _ReorderedHashes:
    """The hashes of an index in another order, each read where it was."""

    def __init__(self, cut: Index, order: array[int]) -> None:
        self._cut, self._order = cut, order

    def __len__(self) -> int:
        return HASH_BYTES * len(self._order)

    def __getitem__(self, part: slice) -> bytes:
        start, end, _ = part.indices(len(self))
        return b"".join(map(self._cut.hash, self._order[start // HASH_BYTES : end // HASH_BYTES]))
