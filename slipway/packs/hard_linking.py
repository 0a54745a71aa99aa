"""Unchanged files as further names of the older build's files, each checked first."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from slipway.packs.chunk_content import LocalContent
from slipway.packs.format.chunk_places import PlacedChunk, placed_batches
from slipway.packs.format.index import Index
from slipway.packs.local_reuse import OldChunks, hard_link
from slipway.packs.parallel_tasks import ParallelTasks, Task
from slipway.packs.tree_files import TreeFiles

_BATCH_BYTES = 16 * 2**20


def link_unchanged(staging: Path, index: Index, old: OldChunks, begun: bytearray, tasks: ParallelTasks) -> bytearray:
    """Link every file that the older build has unchanged and undamaged. Returns a 1 for each entry that is linked."""
    pairs = {}
    for entry in index.files():
        old_entry = old.same_path(entry)
        if not begun[entry] and old_entry is not None and old.is_unchanged(entry, old_entry):
            pairs[entry] = old_entry
    damaged = _damaged(old, sorted(pairs.values()), tasks)
    linked = bytearray(index.entry_count)
    with TreeFiles(staging) as files, TreeFiles(old.build.root) as old_files:
        for entry, old_entry in pairs.items():
            if old_entry not in damaged:
                path = index.path(entry)
                linked[entry] = hard_link(files, path, old_files, old.build.index.path(old_entry))
    return linked


def _damaged(old: OldChunks, entries: list[int], tasks: ParallelTasks) -> set[int]:
    """Those of some old files that are not what their index promises."""
    found: set[int] = set()

    def check(batch: list[PlacedChunk]) -> None:
        with LocalContent(old.build.root, old.build.index, old.places) as content:
            for chunk, entry, offset in batch:
                tasks.check()
                if content.read_from(chunk, entry, offset) is None:
                    found.add(entry)

    def checks() -> Iterator[Task]:
        for batch in placed_batches(old.build.index, entries, _BATCH_BYTES):
            yield partial(check, batch)

    tasks.run(checks())
    return found
