"""Writing chunks to their places in the files of a directory that is being filled."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slipway.disk_errors import name_path
from slipway.packs.format.chunk_places import ChunkPlaces
from slipway.packs.tree_files import TreeFiles, read_at, write_at

_PRIVATE = 0o600  # until the build is whole


@dataclass(frozen=True)
class TargetFiles:
    """What is known of the entries that are files. `path_of`: below the directory. `is_written`: whether it is filled
    at all. `is_begun`: whether it was there before, from an earlier attempt or as a clone of an older build's file."""

    path_of: Callable[[int], str]
    size: Callable[[int], int]
    is_written: Callable[[int], bool]
    is_begun: Callable[[int], bool]


class Placer:
    """Keeps the last file open, because chunks mostly follow each other in one. For one thread."""

    def __init__(self, root: Path, places: ChunkPlaces, targets: TargetFiles) -> None:
        self._root, self._files = root, TreeFiles(root)
        self._places, self._targets = places, targets
        self._entry = -1
        self._descriptor = -1

    def place(self, chunk: int, content: memoryview) -> None:
        """Write the chunk to all its places, making the files that are missing. Zeros become a hole where nothing was
        written, and what is right already is not written again: it may share its blocks with an older build."""
        zeros = _is_zeros(content)
        for entry, offset in self._places.all(chunk):
            if self._targets.is_written(entry):
                try:
                    self._place_at(entry, offset, content, zeros)
                except OSError as error:
                    name_path(error, self._root / self._targets.path_of(entry))
                    raise

    def _place_at(self, entry: int, offset: int, content: memoryview, zeros: bool) -> None:
        descriptor = self._opened(entry)
        if zeros and _is_hole(descriptor, offset, len(content)):
            # Never to another size: other threads write to the file.
            os.ftruncate(descriptor, self._targets.size(entry))
        elif not self._targets.is_begun(entry) or not self._stands_there(descriptor, content, offset):
            write_at(descriptor, content, offset)

    def read_in_place(self, chunk: int, view: memoryview, *, may_be_hole: bool) -> bool:
        """Fill `view` with what stands at the chunk's first place. False when nothing was written there. `may_be_hole`:
        the chunk may be zeros, which are not written."""
        entry, offset = self._places.first(chunk)
        try:
            descriptor = self._opened(entry)
        except OSError:
            return False
        # Reading and hashing the zeros of a hole would mostly only take time.
        if not may_be_hole and _is_hole(descriptor, offset, 1):
            return False
        return read_at(descriptor, view, offset) == len(view)

    def _stands_there(self, descriptor: int, content: memoryview, offset: int) -> bool:
        present = bytearray(len(content))
        return read_at(descriptor, memoryview(present), offset) == len(content) and present == content

    def _opened(self, entry: int) -> int:
        if entry != self._entry:
            self._close_file()
            self._descriptor = self._files.open(self._targets.path_of(entry), os.O_RDWR | os.O_CREAT, _PRIVATE)
            self._entry = entry
        return self._descriptor

    def _close_file(self) -> None:
        if self._entry >= 0:
            self._entry = -1
            os.close(self._descriptor)

    def close(self) -> None:
        """Close the file and the directories above it."""
        self._close_file()
        self._files.close()


def _is_zeros(content: memoryview) -> bool:
    return not content[0] and not content[-1] and not bytes(content).strip(b"\0")


def _is_hole(descriptor: int, offset: int, length: int) -> bool:
    """Whether nothing was written to this part of a file, or it is behind the file's end. False where the file system
    does not tell."""
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA) >= offset + length
    except OSError as error:
        return error.errno == errno.ENXIO  # no data from there on
