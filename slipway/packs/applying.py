"""Making a build's directory from its pack, and from an older build on this machine where there is one.

Whatever is in the directory already is checked and kept, so an attempt that was killed is continued: a chunk that it
had put in place is not fetched again. There is no journal that could disagree with the disk after a power cut.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from pathlib import Path
from threading import Lock

from slipway.packs.format.index import Index
from slipway.packs.format.patch_format import Patch
from slipway.packs.format.refusals import ChunksDamaged
from slipway.packs.hard_linking import link_unchanged
from slipway.packs.local_reuse import LocalBuild, OldChunks, Reuse, clone_files
from slipway.packs.parallel_tasks import ParallelTasks, Task
from slipway.packs.patch_applying import apply_record
from slipway.packs.placing import TargetFiles
from slipway.packs.range_sources import RangeSource
from slipway.packs.staging import finish_directories, finish_files, make_directories, make_links, unfinished_files
from slipway.packs.thread_tools import ToolBox, Tools
from slipway.packs.transfer_plan import ChunkRange, join_ranges, plan_transfer, ranges_of

THREADS = 4
_MIN_REQUESTS = min(THREADS, max(2, os.cpu_count() or 1))
"""A transfer is divided into so many requests, or more if they would be too long. Fewer on small machines: there they
would only take turns, and storage needs less time for longer ones."""

_BATCH_BYTES = 16 * 2**20
_ENTRIES_PER_TASK = 512
MAX_PACKED_ZEROS = 200  # what a chunk of them takes in the pack, at most
_ATTEMPTS = 3

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PatchObject:
    """A patch between the old build and the new: its table and its bytes."""

    table: Patch
    encoded: bytes


@dataclass
class Applied:
    """Bytes. `fetched` came from the pack, as sent, and `damaged` of them were not what the index promises.

    The others are unpacked: `kept` from an earlier attempt or by sharing blocks, `reused` from the older build,
    `patched` made by the patch. `damaged_old` had to be fetched, because the older build was damaged there.
    """

    fetched: int = 0
    kept: int = 0
    reused: int = 0
    patched: int = 0
    damaged: int = 0
    damaged_old: int = 0


def apply(
    index: Index,
    staging: Path,
    pack: RangeSource,
    *,
    old: LocalBuild | None = None,
    patch: PatchObject | None = None,
    reuse: Reuse = Reuse.COPY,
    threads: int = THREADS,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Applied:
    """Fill the existing directory `staging` with the build of `index`; when this returns it is whole and synced.

    `staging` is empty, or holds what an earlier attempt at the same index left. A patch is between `old` and `index`.
    `progress` gets the unpacked bytes in place (of `chunk_bytes(index)`) and the bytes fetched so far; threads wait for
    it.

    Raises ChunksDamaged when the pack does not hold what the index promises, TransferCancelled, OSError as the file
    system does, and what `pack` raises. After any of them `staging` can be continued, or removed.
    """
    applying = _Applying(index, staging, pack, old, patch, progress)
    try:
        with ParallelTasks(threads, cancelled) as tasks:
            return applying.run(tasks, reuse)
    finally:
        applying.close()  # no thread runs any more


def chunk_bytes(index: Index) -> int:
    """The unpacked bytes of all chunks that files are made of, each counted once."""
    return sum(compress(index.chunks.lengths, index.used_chunks()))


class _Applying:
    def __init__(
        self,
        index: Index,
        staging: Path,
        pack: RangeSource,
        old: LocalBuild | None,
        patch: PatchObject | None,
        progress: Progress | None,
    ) -> None:
        self._index, self._staging, self._patch, self._progress = index, staging, patch, progress
        self._missing = index.used_chunks()
        self._linked = bytearray(index.entry_count)
        self._begun = bytearray(index.entry_count)
        self._old = OldChunks(index, old) if old else None
        self._done = 0
        self._applied = Applied()
        self._lock = Lock()
        targets = TargetFiles(index.path, index.size, self._is_written, self._is_begun)
        self._box = ToolBox(index, staging, pack, self._old, targets, self._received)

    def run(self, tasks: ParallelTasks, reuse: Reuse) -> Applied:
        resumed = any(self._staging.iterdir())
        if resumed:
            self._begun = unfinished_files(self._staging, self._index)
        make_directories(self._staging, self._index)
        if self._old and reuse is Reuse.HARD_LINK:
            self._link(tasks)
        elif self._old:
            clone_files(self._staging, self._index, self._old, self._begun)
        # A fresh start fetches while it copies; otherwise what is in place has to be known first.
        first = [] if resumed else self._first_ranges()
        local = self._local(tasks) if resumed or self._old else ()
        tasks.run([*self._fetches(first, tasks), *local, *self._patching(tasks)])
        self._fetch_the_rest(tasks)
        self._finish(tasks)
        return self._applied

    def close(self) -> None:
        """Close what is open, whether or not the directory was finished."""
        self._box.close()

    def _link(self, tasks: ParallelTasks) -> None:
        assert self._old
        self._linked = link_unchanged(self._staging, self._index, self._old, self._begun, tasks)
        chunks = {
            chunk for entry, linked in enumerate(self._linked) if linked for chunk in self._index.chunks_of(entry)
        }
        for chunk in chunks:
            if not any(self._is_written(place.entry) for place in self._box.places.all(chunk)):
                self._count(chunk, "reused")

    def _first_ranges(self) -> list[ChunkRange]:
        return plan_transfer(self._index, self._old.build.index if self._old else None, self._table).ranges

    @property
    def _table(self) -> Patch | None:
        return self._patch.table if self._patch and self._old else None

    def _local(self, tasks: ParallelTasks) -> Iterator[Task]:
        """Check what is in place, and copy from the older build."""
        batch: list[int] = []
        size = 0
        for chunk in range(self._index.chunk_count):
            if self._missing[chunk] and self._may_be_here(chunk):
                batch.append(chunk)
                size += self._index.length(chunk)
            if size >= _BATCH_BYTES:
                yield partial(self._take_local, batch, tasks)
                batch, size = [], 0
        if batch:
            yield partial(self._take_local, batch, tasks)

    def _may_be_here(self, chunk: int) -> bool:
        if self._begun[self._box.places.first(chunk).entry]:
            return True
        return self._old is not None and self._old.number(chunk) is not None

    def _take_local(self, batch: list[int], tasks: ParallelTasks) -> None:
        tools = self._box.mine()
        for chunk in batch:
            tasks.check()
            view = tools.view[: self._index.length(chunk)]
            if (
                self._begun[self._box.places.first(chunk).entry]
                and tools.placer.read_in_place(chunk, view, may_be_hole=self._may_be_zeros(chunk))
                and hashlib.sha256(view).digest() == self._index.hash(chunk)
            ):
                if self._box.places.is_repeated(chunk):
                    tools.placer.place(chunk, view)
                self._count(chunk, "kept")
            elif self._old and (number := self._old.number(chunk)) is not None:
                content = tools.old_content.read(number)
                if content is None:
                    self._add("damaged_old", self._index.length(chunk))
                else:
                    self._arrived(tools, chunk, content, "reused")

    def _patching(self, tasks: ParallelTasks) -> Iterator[Task]:
        """One task, so that only one record's bytes are held at a time."""
        if self._table and self._patch:
            yield partial(self._apply_patch, self._patch, tasks)

    def _apply_patch(self, patch: PatchObject, tasks: ParallelTasks) -> None:
        tools = self._box.mine()
        for record in patch.table.records:
            tasks.check()
            apply_record(
                record,
                patch.encoded,
                self._index,
                tools.old_content,
                self._is_missing,
                lambda chunk, view: self._arrived(tools, chunk, view, "patched"),
            )

    def _fetches(self, ranges: Sequence[ChunkRange], tasks: ParallelTasks) -> Iterator[Task]:
        return (partial(self._fetch, found, tasks) for found in join_ranges(ranges, _MIN_REQUESTS))

    def _fetch(self, found: ChunkRange, tasks: ParallelTasks) -> None:
        tools = self._box.mine()

        def arrived(chunk: int, content: memoryview) -> None:
            tasks.check()
            self._arrived(tools, chunk, content, None)

        tasks.check()
        tools.fetcher.fetch(found, self._is_missing, arrived)
        left = filter(self._is_missing, range(found.first, found.first + found.chunks))
        self._add("damaged", sum(self._index.chunks.stored[chunk] for chunk in left))

    def _fetch_the_rest(self, tasks: ParallelTasks) -> None:
        for _ in range(_ATTEMPTS):
            ranges = list(ranges_of(self._index, self._missing))
            if not ranges:
                return
            tasks.run(self._fetches(ranges, tasks))
        chunk = self._missing.find(1)
        if chunk >= 0:
            path = self._index.path(self._box.places.first(chunk).entry)
            count = sum(self._missing)
            differ = "1 chunk of the pack is" if count == 1 else f"{count} chunks of the pack are"
            raise ChunksDamaged(
                f"{differ} not what the index promises, after {_ATTEMPTS} attempts; "
                f"the first is chunk {chunk}, of {path}"
            )

    def _finish(self, tasks: ParallelTasks) -> None:
        files = list(self._index.files())
        tasks.run(
            partial(finish_files, self._staging, self._index, files[start : start + _ENTRIES_PER_TASK], tasks.check)
            for start in range(0, len(files), _ENTRIES_PER_TASK)
        )
        make_links(self._staging, self._index)
        finish_directories(self._staging, self._index)

    def _is_missing(self, chunk: int) -> bool:
        return bool(self._missing[chunk])

    def _is_written(self, entry: int) -> bool:
        return not self._linked[entry]

    def _is_begun(self, entry: int) -> bool:
        return bool(self._begun[entry])

    def _may_be_zeros(self, chunk: int) -> bool:
        """Zeros take almost nothing in a pack."""
        return self._index.chunks.stored[chunk] <= MAX_PACKED_ZEROS

    def _arrived(self, tools: Tools, chunk: int, content: memoryview, source: str | None) -> None:
        tools.placer.place(chunk, content)
        self._count(chunk, source)

    def _count(self, chunk: int, source: str | None) -> None:
        length = self._index.length(chunk)
        with self._lock:
            if not self._missing[chunk]:
                return  # it came a second time, in the gap between two ranges
            self._missing[chunk] = 0
            self._done += length
            if source:
                setattr(self._applied, source, getattr(self._applied, source) + length)
            if self._progress:
                self._progress(self._done, self._applied.fetched)

    def _received(self, count: int) -> None:
        self._add("fetched", count)

    def _add(self, source: str, count: int) -> None:
        with self._lock:
            setattr(self._applied, source, getattr(self._applied, source) + count)
