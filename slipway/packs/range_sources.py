"""Where the bytes of a pack come from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol


class RangeReader(Protocol):
    """The bytes of one range, in order."""

    def readinto(self, view: memoryview, /) -> int:
        """Fill the beginning of `view` with the next bytes, at least one; 0 at the end of the range."""
        ...


class RangeSource(Protocol):
    """An object that can be read in ranges, by several threads at once."""

    def open_range(self, start: int, length: int) -> AbstractContextManager[RangeReader]:
        """One request for `length` bytes from `start`. What it raises when it fails passes through to the caller."""
        ...


class FileSource:
    """A file on this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def open_range(self, start: int, length: int) -> Iterator[RangeReader]:
        """As RangeSource."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield _FileReader(descriptor, start, start + length)
        finally:
            os.close(descriptor)


class _FileReader:
    def __init__(self, descriptor: int, position: int, end: int) -> None:
        self._descriptor, self._position, self._end = descriptor, position, end

    def readinto(self, view: memoryview) -> int:
        count = os.preadv(self._descriptor, [view[: self._end - self._position]], self._position)
        self._position += count
        return count
