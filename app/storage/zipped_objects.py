"""Stored objects as one zip archive, made while it is read: in constant memory, and without a file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.storage.objects import OpenObject, open_object


@dataclass(frozen=True)
class ZipEntry:
    """An object, and its name in the archive."""

    name: str
    key: str
    moment: tuple[int, int, int, int, int, int]  # year, from 1980, to second


class ZippedObjects:
    """The archive of at least one object. It does not compress: images are compressed already. Making one opens the
    first object, so that storage that cannot be reached is found before the answer begins. Raises ObjectMissing or
    StorageError."""

    def __init__(self, entries: Sequence[ZipEntry]) -> None:
        self._entries = entries
        self._opened: OpenObject | None = open_object(entries[0].key)

    def pieces(self) -> Iterator[bytes]:
        """The archive in pieces of up to 64 KiB and some headers. Raises ObjectMissing or StorageError."""
        sink = _Sink()
        with zipfile.ZipFile(sink, "w") as archive:
            for entry in self._entries:
                opened, self._opened = self._opened or open_object(entry.key), None
                try:
                    with archive.open(zipfile.ZipInfo(entry.name, entry.moment), "w") as target:
                        for piece in opened.pieces():
                            target.write(piece)
                            yield sink.take()
                finally:
                    opened.close()
        yield sink.take()

    def close(self) -> None:
        """Free the connection of an archive that was not read."""
        if self._opened is not None:
            self._opened.close()


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
