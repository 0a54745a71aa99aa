"""Comparing a directory with its index, down to each chunk."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock

from slipway.packs.chunk_content import LocalContent
from slipway.packs.format.chunk_places import ChunkPlaces, PlacedChunk, placed_batches
from slipway.packs.format.index import Index, Kind
from slipway.packs.parallel_tasks import ParallelTasks
from slipway.packs.staging import file_mode
from slipway.packs.tree_files import TreeFiles
from slipway.packs.tree_modes import DIRECTORY_MODE

_BATCH_BYTES = 16 * 2**20
_THREADS = 4


@dataclass
class Verification:
    """What is wrong with a directory; nothing when it is whole.

    `entries` maps the entries that are missing, or are not what they should be, to what is wrong with them in words.
    `chunks` are those that are damaged, as places in files that are otherwise right. `extra` are the paths of what the
    index does not have.
    """

    entries: dict[int, str] = field(default_factory=dict)
    chunks: list[PlacedChunk] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether everything of the index is there; there may be more."""
        return not self.entries and not self.chunks

    def problems(self, index: Index) -> Iterator[tuple[str, str]]:
        """Path and problem of everything that was found."""
        for entry, problem in sorted(self.entries.items()):
            yield index.path(entry), problem
        damaged: dict[int, int] = {}
        for chunk, entry, _ in self.chunks:
            damaged[entry] = damaged.get(entry, 0) + index.length(chunk)
        for entry, size in sorted(damaged.items()):
            yield index.path(entry), f"{size} of {index.size(entry)} bytes are in damaged chunks"
        for path in self.extra:
            yield path, "is not in the build"


def verify(
    index: Index,
    root: Path,
    *,
    threads: int = _THREADS,
    progress: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Verification:
    """Read everything of the index below `root`. `progress` gets the bytes read so far, of `index.content_bytes`.

    Raises TransferCancelled, and OSError when `root` itself cannot be read.
    """
    found = Verification()
    with ParallelTasks(threads, cancelled) as tasks:
        _check_entries(index, root, found)
        found.extra = list(_extra(index, root))
        places, lock = ChunkPlaces(index), Lock()
        done = 0

        def check(batch: list[PlacedChunk]) -> None:
            nonlocal done
            with LocalContent(root, index, places) as content:
                for placed in batch:
                    tasks.check()
                    damaged = content.read_from(*placed) is None
                    with lock:
                        done += index.length(placed.chunk)
                        if damaged:
                            found.chunks.append(placed)
                        if progress:
                            progress(done)

        files = (entry for entry in index.files() if entry not in found.entries)
        tasks.run(partial(check, batch) for batch in placed_batches(index, files, _BATCH_BYTES))
    found.chunks.sort(key=lambda placed: (placed.entry, placed.offset))
    return found


def _check_entries(index: Index, root: Path, found: Verification) -> None:
    with TreeFiles(root) as files:
        for entry in range(index.entry_count):
            try:
                parent, name = files.directory_of(index.path(entry))
                problem = _problem(index, entry, parent, name, files)
            except OSError as error:
                problem = f"cannot be read: {error.strerror}"
            if problem:
                found.entries[entry] = problem


def _problem(index: Index, entry: int, parent: int, name: str, files: TreeFiles) -> str | None:
    kind = index.kind(entry)
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return "is missing"
    if kind is Kind.DIRECTORY:
        return _mode_problem(status, DIRECTORY_MODE) if stat.S_ISDIR(status.st_mode) else "is not a directory"
    if kind is Kind.SYMLINK:
        if not stat.S_ISLNK(status.st_mode):
            return "is not a symbolic link"
        pointed = os.readlink(name, dir_fd=parent)
        return None if pointed == index.target(entry) else "points elsewhere"
    if not stat.S_ISREG(status.st_mode):
        return "is not a file"
    if kind is Kind.HARD_LINK:
        target_parent, target = files.directory_of(index.target(entry))
        other = os.stat(target, dir_fd=target_parent, follow_symlinks=False)
        same = (status.st_dev, status.st_ino) == (other.st_dev, other.st_ino)
        return None if same else f"is not another name of {index.target(entry)}"
    if status.st_size != index.size(entry):
        return f"has {status.st_size} bytes, not {index.size(entry)}"
    return _mode_problem(status, file_mode(kind))


def _mode_problem(status: os.stat_result, mode: int) -> str | None:
    found = stat.S_IMODE(status.st_mode)
    return None if found == mode else f"has mode {found:04o}, not {mode:04o}"


def _extra(index: Index, root: Path) -> Iterator[str]:
    """Paths that the index does not have; of a whole directory only its own."""
    known = set(index.entries.paths)
    for folder, directories, names in os.walk(os.fsencode(root)):
        above = os.path.relpath(folder, os.fsencode(root))
        for name in sorted(directories + names):
            path = name if above == b"." else above + b"/" + name
            if path not in known:
                yield os.fsdecode(path)
                if name in directories:
                    directories.remove(name)
