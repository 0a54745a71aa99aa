"""Writing chunks to their places in the files of a directory that is being filled."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from slipway.disk_errors import name_path
from slipway.packs.format.chunk_places import ChunkPlaces
from slipway.packs.tree_files import TreeFiles, read_at, write_at

_PRIVATE = 0o600  # until the build is whole

PathOf = Callable[[int], str]


class Placer:
    """Keeps the last file open, because chunks mostly follow each other in one. For one thread."""

    def __init__(self, root: Path, path_of: PathOf, places: ChunkPlaces, is_written: Callable[[int], bool]) -> None:
        """`path_of` gives the path below `root` of an entry's file, `is_written` whether that entry is filled at
        all."""
        self._root, self._files = root, TreeFiles(root)
        self._path_of, self._places, self._is_written = path_of, places, is_written
        self._entry = -1
        self._descriptor = -1

    def place(self, chunk: int, content: memoryview) -> None:
        """Write the chunk to all its places, making the files that are missing."""
        for entry, offset in self._places.all(chunk):
            if self._is_written(entry):
                try:
                    write_at(self._opened(entry), content, offset)
                except OSError as error:
                    name_path(error, self._root / self._path_of(entry))
                    raise

    def read_in_place(self, chunk: int, view: memoryview) -> bool:
        """Fill `view` with what stands at the chunk's first place. False when nothing was written there."""
        entry, offset = self._places.first(chunk)
        try:
            descriptor = self._opened(entry)
            # A hole has not been written; reading and hashing its zeros would only take time.
            if os.lseek(descriptor, offset, os.SEEK_DATA) > offset:
                return False
        except OSError:  # ENXIO behind the file's end
            return False
        return read_at(descriptor, view, offset) == len(view)

    def _opened(self, entry: int) -> int:
        if entry != self._entry:
            self._close_file()
            self._descriptor = self._files.open(self._path_of(entry), os.O_RDWR | os.O_CREAT, _PRIVATE)
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
