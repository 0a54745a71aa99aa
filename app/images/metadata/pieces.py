"""A new file described as pieces of an old one: spans that are kept, and a few bytes between them."""

from __future__ import annotations

import mmap
from collections.abc import Iterator

MAX_STEPS = 500_000  # in one file; a GIF of 20 MiB has some 90,000
_SLICE = 1024 * 1024

Source = mmap.mmap | bytes


class DamagedContainer(ValueError):
    """The file's outer structure is damaged. The text completes "The file …"."""


class Pieces:
    """The kept parts of `source`, in order."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.length = 0
        self.is_cut_off = False
        """Whether the file had no end marker, so that one was added."""
        self._parts: list[tuple[int, int] | bytes] = []
        self._steps = 0

    def step(self) -> None:
        """Count one part of the file. Raises DamagedContainer if there are more than any program writes."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise DamagedContainer(f"is made of more than {MAX_STEPS:,} parts")

    def keep(self, start: int, end: int) -> None:
        """Keep the bytes from `start` to before `end` of the source."""
        if end <= start:
            return
        self.length += end - start
        last = self._parts[-1] if self._parts else None
        if isinstance(last, tuple) and last[1] == start:
            self._parts[-1] = (last[0], end)
        else:
            self._parts.append((start, end))

    def add(self, data: bytes) -> None:
        """Add bytes. If the source has the same bytes at this place, keep the source's."""
        last = self._parts[-1] if self._parts else (0, 0)
        if isinstance(last, tuple) and self.source[last[1] : last[1] + len(data)] == data:
            self.keep(last[1], last[1] + len(data))
            return
        self.length += len(data)
        self._parts.append(data)

    def extend(self, other: Pieces) -> None:
        """Add all of `other`, which has the same source."""
        for part in other._parts:
            if isinstance(part, bytes):
                self.add(part)
            else:
                self.keep(*part)

    def is_whole(self) -> bool:
        """Whether this is the unchanged source."""
        return self._parts == [(0, len(self.source))]

    def read(self) -> Iterator[bytes]:
        """The bytes, up to 1 MiB at a time."""
        for part in self._parts:
            if isinstance(part, bytes):
                yield part
                continue
            for start in range(part[0], part[1], _SLICE):
                yield self.source[start : min(start + _SLICE, part[1])]
