"""Indexes that no writer of ours would write."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from slipway.packs.format.index_encoding import HEADER, MAGIC

FILE, PROGRAM, DIRECTORY, SYMLINK, HARD_LINK = 1, 2, 0, 3, 4
RULES = (65536, 262144, 1048576, 1, 65536, 16384, 65536, 262144)


@dataclass(frozen=True)
class RawIndex:
    """Sections as they are written; counts are those of the sections unless `header` overrides them."""

    entries: tuple[tuple[int, bytes, bytes], ...] = ((DIRECTORY, b"mygame", b""), (FILE, b"mygame/a", b""))
    references: bytes = b"\x01\x00\x01"  # one run, from where the last ended, of one chunk
    generations: tuple[tuple[int, int], ...] = ((1, 1),)
    chunks: tuple[tuple[bytes, int, int], ...] = ((b"\xaa" * 32, 100, 100),)
    magic: bytes = MAGIC
    version: int = 1
    hashing: int = 1
    rules: tuple[int, ...] = RULES
    tail: bytes = b""
    counts: tuple[int, ...] | None = None

    def encoded(self) -> bytes:
        links = [target for kind, _, target in self.entries if kind in (SYMLINK, HARD_LINK)]
        paths = [path for _, path, _ in self.entries]
        counts = self.counts or (
            len(self.entries),
            len(self.chunks),
            len(self.generations),
            len(links),
            sum(map(len, paths)),
            sum(map(len, links)),
            len(self.references),
        )
        return b"".join(
            [
                HEADER.pack(self.magic, self.version, self.hashing, *self.rules, *counts),
                *(struct.pack("<II", *generation) for generation in self.generations),
                bytes(kind for kind, _, _ in self.entries),
                *(struct.pack("<H", len(path)) for path in paths),
                *(struct.pack("<H", len(target)) for target in links),
                *paths,
                *links,
                self.references,
                *(digest for digest, _, _ in self.chunks),
                *(struct.pack("<I", length) for _, length, _ in self.chunks),
                *(struct.pack("<I", stored) for _, _, stored in self.chunks),
                self.tail,
            ]
        )

    def but(self, **changes: object) -> RawIndex:
        return replace(self, **changes)  # type: ignore[arg-type]

    def with_entries(self, *entries: tuple[int, bytes, bytes] | tuple[int, bytes]) -> RawIndex:
        """Further entries behind the good ones."""
        more = tuple((entry[0], entry[1], entry[2] if len(entry) > 2 else b"") for entry in entries)
        files = sum(kind in (FILE, PROGRAM) for kind, _, _ in more)
        return replace(self, entries=self.entries + more, references=self.references + b"\x00" * files)
