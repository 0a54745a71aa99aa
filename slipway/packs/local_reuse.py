"""Taking from an older build on this machine what a new one shares with it."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from slipway.packs.chunk_lookup import ChunkLookup
from slipway.packs.format.chunk_places import ChunkPlaces
from slipway.packs.format.index import Index
from slipway.packs.tree_files import TreeFiles

_FICLONE = 0x40049409  # linux/fs.h
_BLOCK_BYTES = 4096
_WORTH_CLONING = 0.5  # of a file's bytes at the same offsets in the old one; else its blocks are better written anew


class Reuse(Enum):
    """How unchanged files come from the older build.

    HARD_LINK only where builds are read-only for everyone who runs them: a write to one would change both.
    """

    COPY = "copy"  # sharing blocks where the file system can
    HARD_LINK = "hard-link"


@dataclass(frozen=True)
class LocalBuild:
    """A build on this machine: the directory that holds its top directory, and its index."""

    root: Path
    index: Index


class OldChunks:
    """Which old chunk and which old file each new one could be taken from."""

    def __init__(self, index: Index, old: LocalBuild) -> None:
        self.build = old
        self.places = ChunkPlaces(old.index)
        known = ChunkLookup(old.index)
        self._index = index
        self._numbers = [known.find(index.hash(chunk)) for chunk in range(index.chunk_count)]
        self._by_path = {_below_top(old.index.entries.paths[entry]): entry for entry in old.index.files()}

    def number(self, chunk: int) -> int | None:
        """The old number of a new chunk, None when it is new indeed."""
        return self._numbers[chunk]

    def same_path(self, entry: int) -> int | None:
        """The old file that has the path of a new one, below the top directory: that often has the version in its
        name."""
        return self._by_path.get(_below_top(self._index.entries.paths[entry]))

    def is_unchanged(self, entry: int, old_entry: int) -> bool:
        """Whether both have the same content and kind."""
        old = self.build.index
        return old.entries.kinds[old_entry] == self._index.entries.kinds[entry] and [
            self._numbers[chunk] for chunk in self._index.chunks_of(entry)
        ] == list(old.chunks_of(old_entry))

    def is_mostly_the_same(self, entry: int, old_entry: int) -> bool:
        """Whether enough of the file stands at the same offsets in the old one."""
        return self._bytes_in_place(entry, old_entry) > _WORTH_CLONING * self._index.size(entry)

    def bytes_to_write(self, reuse: Reuse) -> int:
        """The bytes that the new build needs on a disk beside the old one, if files are linked (HARD_LINK) or blocks
        are shared (COPY, where the file system can)."""
        need = 0
        for entry in self._index.files():
            size = self._index.size(entry)
            old_entry = self.same_path(entry)
            if old_entry is None:
                shared = 0
            elif reuse is Reuse.HARD_LINK:
                shared = size if self.is_unchanged(entry, old_entry) else 0
            else:
                shared = self._bytes_in_place(entry, old_entry)
                shared = shared if shared > _WORTH_CLONING * size else 0
            need += size - shared
        return need

    def _bytes_in_place(self, entry: int, old_entry: int) -> int:
        """The bytes of the file that stand at the same offsets in the old one."""
        same, at = 0, dict(_offsets(self.build.index, old_entry))
        for offset, chunk in _offsets(self._index, entry):
            if self._numbers[chunk] is not None and at.get(offset) == self._numbers[chunk]:
                same += self._index.length(chunk)
        return same


def _below_top(path: bytes) -> bytes:
    return path.partition(b"/")[2]


def _offsets(index: Index, entry: int) -> Iterator[tuple[int, int]]:
    offset = 0
    for chunk in index.chunks_of(entry):
        yield offset, chunk
        offset += index.length(chunk)


def clone_files(staging: Path, index: Index, old: OldChunks, begun: bytearray) -> None:
    """Share the blocks of old files with new ones that are mostly the same, and mark those in `begun`. Does nothing
    where the file system cannot do that."""
    with TreeFiles(staging) as files, TreeFiles(old.build.root) as old_files:
        for entry in index.files():
            old_entry = old.same_path(entry)
            if begun[entry] or old_entry is None or not old.is_mostly_the_same(entry, old_entry):
                continue
            try:
                source = old_files.open(old.build.index.path(old_entry), os.O_RDONLY)
            except OSError:
                continue  # its chunks are fetched
            try:
                if not _clone(source, files, index.path(entry), index.size(entry)):
                    return
            finally:
                os.close(source)
            begun[entry] = 1


def _clone(source: int, files: TreeFiles, path: str, size: int) -> bool:
    target = files.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.ioctl(target, _FICLONE, source)
        os.ftruncate(target, size)
    except OSError:
        return False
    finally:
        os.close(target)
    return True


def can_clone(folder: Path) -> bool:
    """Whether the file system of `folder` can share blocks between files. Raises OSError when it cannot be written."""
    with tempfile.TemporaryFile(dir=folder) as source, tempfile.TemporaryFile(dir=folder) as target:
        source.write(bytes(_BLOCK_BYTES))
        source.flush()
        try:
            fcntl.ioctl(target, _FICLONE, source.fileno())
        except OSError:
            return False
        return True


def hard_link(staging: TreeFiles, path: str, old_root: TreeFiles, old_path: str) -> bool:
    """Make the file at `path` another name of the old one. False where the kernel or the file system refuses."""
    source, old_name = old_root.directory_of(old_path)
    parent, name = staging.directory_of(path)
    try:
        os.link(old_name, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
    except OSError:
        return False
    return True
