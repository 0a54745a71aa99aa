"""Stored objects as one zip archive, made while it is read: in constant memory, and without a file."""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from app.storage.bucket import Bucket, bucket
from app.storage.objects import PIECE


@dataclass(frozen=True)
class ZipEntry:
    """An object, its bytes, and its name in the archive."""

    name: str
    key: str
    size: int
    moment: tuple[int, int, int, int, int, int]  # year, from 1980, to second


class ZippedObjects:
    """The archive of at least one object. It does not compress: images are compressed already. Making one reads the
    first bytes, so that storage that cannot be reached is found before the answer begins. Raises StorageError, and
    ObjectGone when there is no such object."""

    def __init__(self, entries: Sequence[ZipEntry]) -> None:
        self._rest = _zipped(bucket(), entries)
        self._first = next(self._rest)

    def pieces(self) -> Iterator[bytes]:
        """The archive in pieces of up to 64 KiB and some headers. Needs no app context. Raises StorageError."""
        yield self._first
        yield from self._rest

    def close(self) -> None:
        """Free the connection of an archive that was not read to the end."""
        self._rest.close()


def _zipped(store: Bucket, entries: Sequence[ZipEntry]) -> Generator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for entry in entries:
            with (
                archive.open(zipfile.ZipInfo(entry.name, entry.moment), "w") as target,
                closing(store.read(entry.key, 0, entry.size, PIECE)) as pieces,
            ):
                for piece in pieces:
                    target.write(piece)
                    yield sink.take()
    yield sink.take()


class _Sink:
    """A file that cannot be sought, so zipfile writes sizes and checksums after each entry."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """For zipfile. There is nothing to flush."""

    def close(self) -> None:
        """For zipfile, which does not call it."""

    def take(self) -> bytes:
        """What was written since the last call."""
        data = b"".join(self._written)
        self._written.clear()
        return data
