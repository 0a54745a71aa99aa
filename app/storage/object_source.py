"""An object of the bucket as a source of ranges, for `slipway.packs`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.storage.bucket import Bucket
from app.storage.whole_objects import read_range


class ObjectSource:
    """A RangeSource (slipway/packs/range_sources.py). Needs no app context, so any thread may read."""

    def __init__(self, store: Bucket, key: str) -> None:
        self._store, self._key = store, key

    @contextmanager
    def open_range(self, start: int, length: int) -> Iterator[_Reader]:
        """As RangeSource. Reading raises StorageError, and ObjectGone when there is no such object."""
        pieces = read_range(self._store, self._key, start, length, lambda: None)
        try:
            yield _Reader(pieces)
        finally:
            pieces.close()


class _Reader:
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readinto(self, view: memoryview, /) -> int:
        """As RangeReader."""
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        count = min(len(view), len(self._rest))
        view[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
