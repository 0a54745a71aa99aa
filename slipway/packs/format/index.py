"""The table of a pack: what stands at every path, and the chunks that files are made of.

Columns are arrays, because a build may have half a million files and a million chunks.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple, Protocol

from slipway.packs.format.pack_format import HASH_BYTES, CuttingRules


class Kind(IntEnum):
    """What stands at a path. A program is a file with an x bit."""

    DIRECTORY = 0
    FILE = 1
    PROGRAM = 2
    SYMLINK = 3
    HARD_LINK = 4

    @property
    def is_file(self) -> bool:
        """Whether it has content of its own; a hard link's is that of the file it is another name of."""
        return self in (Kind.FILE, Kind.PROGRAM)

    @property
    def is_link(self) -> bool:
        return self in (Kind.SYMLINK, Kind.HARD_LINK)


class Generation(NamedTuple):
    """So many chunks, all of which every build since `build` has had."""

    build: int
    chunks: int


@dataclass(frozen=True)
class Entries:
    """One entry per path, in the order of `sort_key`; entry numbers are positions in it.

    `targets` is what a symbolic link says, or the path of the earlier file that a hard link is another name of.
    Entry e's chunks are `references[reference_starts[e]:reference_starts[e + 1]]`, in the order of its content.
    """

    paths: list[bytes]
    kinds: bytearray
    targets: dict[int, bytes]
    reference_starts: array[int]
    references: array[int]


class Hashes(Protocol):
    """The hashes of chunk 0, 1, 2 …, joined: bytes, or something that reads them elsewhere. Parts begin and end with a
    hash."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes | bytearray | memoryview: ...


@dataclass(frozen=True)
class Chunks:
    """One row per chunk, in the order of the pack. `lengths` unpacked, `stored` in the pack; bytes."""

    hashes: Hashes
    lengths: array[int]
    stored: array[int]


class Index:
    """Read only. Entries and chunks go by their numbers; sizes and offsets are bytes."""

    def __init__(self, rules: CuttingRules, generations: list[Generation], entries: Entries, chunks: Chunks) -> None:
        self.rules = rules
        self.generations = generations
        self.entries = entries
        self.chunks = chunks

    @property
    def entry_count(self) -> int:
        return len(self.entries.paths)

    @property
    def chunk_count(self) -> int:
        return len(self.chunks.lengths)

    def path(self, entry: int) -> str:
        return self.entries.paths[entry].decode()

    def kind(self, entry: int) -> Kind:
        return Kind(self.entries.kinds[entry])

    def target(self, entry: int) -> str:
        """What a link points to. KeyError when the entry is not a link."""
        return self.entries.targets[entry].decode()

    def chunks_of(self, entry: int) -> array[int]:
        """The numbers of a file's chunks, in order; none for what is not a file."""
        starts = self.entries.reference_starts
        return self.entries.references[starts[entry] : starts[entry + 1]]

    def used_chunks(self) -> bytearray:
        """A 1 for each chunk that a file is made of: all of them, but for an index of some of a build's files."""
        used = bytearray(self.chunk_count)
        for chunk in self.entries.references:
            used[chunk] = 1
        return used

    def size(self, entry: int) -> int:
        """A file's bytes; 0 for what is not a file."""
        lengths = self.chunks.lengths
        return sum(lengths[chunk] for chunk in self.chunks_of(entry))

    def identity(self, entry: int) -> bytes:
        """Equal for files with equal content that were cut by the same rules: the SHA-256 of its chunks' hashes."""
        return hashlib.sha256(b"".join(map(self.hash, self.chunks_of(entry)))).digest()

    def files(self) -> Iterator[int]:
        """The entries that are files."""
        return (entry for entry, kind in enumerate(self.entries.kinds) if kind in (Kind.FILE, Kind.PROGRAM))

    def hash(self, chunk: int) -> bytes:
        return bytes(self.chunks.hashes[chunk * HASH_BYTES : (chunk + 1) * HASH_BYTES])

    def length(self, chunk: int) -> int:
        return self.chunks.lengths[chunk]

    @cached_property
    def offsets(self) -> array[int]:
        """Where each chunk begins in the pack; one more than there are chunks, the last being the pack's size."""
        return array("Q", accumulate(self.chunks.stored, initial=0))

    @property
    def pack_bytes(self) -> int:
        return self.offsets[-1]

    @cached_property
    def content_bytes(self) -> int:
        """The sum of the files' sizes: what a disk needs for the build."""
        lengths = self.chunks.lengths
        return sum(lengths[chunk] for chunk in self.entries.references)


def sort_key(path: bytes) -> bytes:
    """Entries are in the order of their paths' segments: a directory before what it holds, its subtree together."""
    return path.replace(b"/", b"\0")
