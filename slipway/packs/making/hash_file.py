"""Hashes of chunks in a file, so that a build of many chunks takes no more memory than one of few."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from slipway.closing_context import ClosingContext
from slipway.packs.tree_files import write_at


class HashFile(ClosingContext):
    """GrowingHashes. The file has no name, and is gone when this is closed or the process ends, however it ends. Once
    it is complete, several threads may read it."""

    def __init__(self, folder: Path | None) -> None:
        """`folder` is on a disk with room for 32 bytes per chunk; None: the system's for temporary files. Raises
        OSError, as does `extend`."""
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed by `close`
        self._size = 0

    def extend(self, digest: bytes) -> None:
        """Add one hash."""
        write_at(self._file.fileno(), memoryview(digest), self._size)
        self._size += len(digest)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, end, _ = part.indices(self._size)
        return os.pread(self._file.fileno(), end - start, start)

    def close(self) -> None:
        """Indexes with these hashes cannot be used any more."""
        self._file.close()
