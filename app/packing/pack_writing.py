"""Storing the objects of a pack: the pack itself while it is made, so that it needs no room on the disk."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from types import TracebackType
from typing import Self

from app.process import shutdown
from app.storage.bucket import StorageError, bucket
from app.storage.objects import write_object
from app.storage.part_writer import PartWriter, part_size

MAX_TRIES = 3
PAUSE_SECONDS = 0.5


class PackWriter:
    """A file to write a pack to, in bounded memory. What is not finished is aborted when the block ends."""

    def __init__(self, key: str, max_bytes: int, cover: Callable[[int], None]) -> None:
        """`max_bytes`: the pack has no more. `cover` gets the number of bytes so far before they are stored, and raises
        if there is no room for them."""
        self.key = key
        self.size = 0
        self._cover = cover
        self._bucket = bucket()
        self._part_size = part_size(None, max_bytes)
        self._parts: PartWriter | None = None
        self._finished = False

    def write(self, content: bytes) -> int:
        """Add bytes. Raises StorageError as soon as earlier ones could not be stored."""
        self._cover(self.size + len(content))
        if self._parts is None:
            multipart_id = self._bucket.start_multipart(self.key)
            self._parts = PartWriter(self._bucket, self.key, multipart_id, self._part_size)
        self._parts.write(content)
        self.size += len(content)
        return len(content)

    def finish(self) -> None:
        """Make the object of all that was written."""
        if self._parts is None:  # a game of empty files
            store(self.key, b"")
        else:
            self._bucket.complete_multipart(self.key, self._parts.multipart_id, self._parts.finish())
        self._finished = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._parts is None:
            return
        self._parts.close()
        if not self._finished:
            try:
                self._bucket.abort_multipart(self.key, self._parts.multipart_id)
            except StorageError:  # the sweep aborts it later
                if error is None:
                    raise


class NoPack:
    """In the place of a PackWriter when only the index is kept. Its size stays 0."""

    size = 0

    def write(self, content: bytes) -> int:
        return len(content)

    def finish(self) -> None:
        """Nothing is stored."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is to be aborted."""


def store(key: str, content: bytes) -> None:
    """Store a small object. Raises StorageError after MAX_TRIES: it comes after minutes of work."""
    md5 = hashlib.md5(content, usedforsecurity=False).digest()
    for attempt in range(1, MAX_TRIES + 1):
        try:
            write_object(key, io.BytesIO(content), len(content), md5, {})
            return
        except StorageError:
            if attempt == MAX_TRIES or shutdown.stopping.wait(PAUSE_SECONDS * attempt):
                raise
