"""Cutting every file of a directory into chunks: the first of two passes of making a pack."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.packs.chunk_lookup import ChunkNumbering, GrowingHashes
from slipway.packs.format.entry_rules import EntryRules
from slipway.packs.format.index import Chunks, Entries, Generation, Index
from slipway.packs.format.pack_format import HASH_BYTES, MAX_REFERENCES, RULES, CuttingRules
from slipway.packs.format.refusals import TransferCancelled, TreeUnsuitable
from slipway.packs.making.cutting import Window, WindowBuffers, cut, has_entry_markers
from slipway.packs.making.tree_listing import Found, list_tree
from slipway.packs.tree_files import TreeFiles

_BATCH_BYTES = 4 * 2**20  # hashed by one thread at a time: one window of a large file
_BATCHES_WAITING = 3

Progress = Callable[[int], None]
Cancelled = Callable[[], bool]


def cut_tree(
    root: Path,
    *,
    rules: CuttingRules = RULES,
    hashes: GrowingHashes | None = None,
    limits: ArchiveLimits | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Index:
    """The index of what lies in `root` (an unpacked game's parent: the top directory is the first entry).

    Its chunks are in the order of the files and count as stored raw, all of one generation: `write_pack` makes the
    lasting one from it. The index reads its hashes from `hashes`, which was empty; None: from memory. `progress` gets
    the bytes cut so far. Raises TreeUnsuitable, TransferCancelled, OSError.
    """
    return cut_entries(
        root, list_tree(root), rules=rules, hashes=hashes, limits=limits, progress=progress, cancelled=cancelled
    )


def cut_entries(
    root: Path,
    entries: Iterable[Found],
    *,
    rules: CuttingRules = RULES,
    hashes: GrowingHashes | None = None,
    limits: ArchiveLimits | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Index:
    """As `cut_tree`, of some of the entries below `root`: in the order of `list_tree`, with all directories above."""
    with ThreadPoolExecutor(2, thread_name_prefix="hash") as pool, TreeFiles(root) as files:
        cutting = _TreeCutting(pool, files, rules, bytearray() if hashes is None else hashes, progress, cancelled)
        admitted = EntryRules(limits or ArchiveLimits(), None)
        for found in entries:
            try:
                admitted.admit(found.kind, found.path, found.target)
            except ArchiveRejected as rejection:
                raise TreeUnsuitable(str(rejection)) from None
            cutting.add(found)
        return cutting.finish()


class _TreeCutting:
    def __init__(
        self,
        pool: ThreadPoolExecutor,
        files: TreeFiles,
        rules: CuttingRules,
        hashes: GrowingHashes,
        progress: Progress | None,
        cancelled: Cancelled | None,
    ) -> None:
        self._pool, self._files, self._rules, self._hashes = pool, files, rules, hashes
        self._progress, self._cancelled = progress, cancelled
        self._entries = Entries([], bytearray(), {}, array("I", [0]), array("I"))
        self._known = ChunkNumbering(hashes)
        self._lengths = array("I")
        self._buffers = WindowBuffers()
        self._batch: list[Window] = []
        self._batch_bytes = self._done_bytes = self._chunks_cut = 0
        self._waiting: deque[tuple[Future[bytes], list[Window]]] = deque()

    def add(self, found: Found) -> None:
        """The next entry; a file is read."""
        if found.kind.is_file:
            self._cut_file(found)
        elif found.kind.is_link:
            self._entries.targets[len(self._entries.paths)] = found.target
        self._entries.paths.append(found.path)
        self._entries.kinds.append(found.kind)
        self._entries.reference_starts.append(self._chunks_cut)

    def finish(self) -> Index:
        self._submit()
        while self._waiting:
            self._take_hashed()
        chunks = Chunks(self._hashes, self._lengths, self._lengths)
        generations = [Generation(0, len(self._lengths))] if self._lengths else []
        return Index(self._rules, generations, self._entries, chunks)

    def _cut_file(self, found: Found) -> None:
        descriptor = self._files.open(found.path.decode(), os.O_RDONLY)
        try:
            windows = cut(
                lambda view: os.readv(descriptor, [view]),
                found.size,
                marked=has_entry_markers(found.path.decode()),
                rules=self._rules,
                buffers=self._buffers,
            )
            for window in windows:
                self._add_window(window)
        finally:
            os.close(descriptor)

    def _add_window(self, window: Window) -> None:
        if self._cancelled and self._cancelled():
            raise TransferCancelled("cutting was cancelled")
        self._chunks_cut += len(window.lengths)
        if self._chunks_cut > MAX_REFERENCES:
            raise TreeUnsuitable(f"The files have more than {MAX_REFERENCES} chunks")
        self._batch.append(window)
        self._batch_bytes += len(window.content)
        if self._batch_bytes >= _BATCH_BYTES:
            self._submit()

    def _submit(self) -> None:
        if len(self._waiting) >= _BATCHES_WAITING:
            self._take_hashed()
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        self._waiting.append((self._pool.submit(_hashes, batch), batch))

    def _take_hashed(self) -> None:
        hashed, batch = self._waiting.popleft()
        digests = hashed.result()
        lengths = (length for window in batch for length in window.lengths)
        for start, length in zip(range(0, len(digests), HASH_BYTES), lengths, strict=True):
            chunk = self._known.number(digests[start : start + HASH_BYTES])
            if chunk == len(self._lengths):
                self._lengths.append(length)
            self._entries.references.append(chunk)
        self._done_bytes += sum(len(window.content) for window in batch)
        for window in batch:
            self._buffers.put_back(window)
        if self._progress:
            self._progress(self._done_bytes)


def _hashes(batch: list[Window]) -> bytes:
    """Those of all chunks, joined."""
    found = bytearray()
    for content, lengths in batch:
        start = 0
        for length in lengths:
            found += hashlib.sha256(content[start : start + length]).digest()
            start += length
    return bytes(found)
