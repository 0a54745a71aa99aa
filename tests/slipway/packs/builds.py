"""Packs of small builds, and sources that count or spoil what is read from them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from slipway.packs.applying import Applied, PatchObject, apply
from slipway.packs.chunk_content import LocalContent
from slipway.packs.format.chunk_places import ChunkPlaces
from slipway.packs.format.patch_format import decode_patch
from slipway.packs.local_reuse import LocalBuild, Reuse
from slipway.packs.making.build_writing import OlderBuild, WrittenBuild, write_build
from slipway.packs.range_sources import RangeReader
from tests.slipway.packs.trees import Tree


@dataclass(frozen=True)
class Build:
    """A build that was written: the directory it was made from, and its objects."""

    root: Path
    written: WrittenBuild
    pack: bytes

    @property
    def local(self) -> LocalBuild:
        return LocalBuild(self.root, self.written.index)


def make_build(folder: Path, tree: Tree, number: int = 1, older: Build | None = None) -> Build:
    """Write the tree to `folder`/<number> and make its pack."""
    root = tree.write(folder / str(number))
    return build_of(root, folder, number, older)


def build_of(root: Path, folder: Path, number: int = 1, older: Build | None = None) -> Build:
    """The pack of a directory that is there."""
    pack = folder / f"pack.{number}"
    with pack.open("wb") as sink:
        if older:
            index = older.written.index
            with LocalContent(older.root, index, ChunkPlaces(index)) as content:
                before = OlderBuild(index, older.written.encoded, content)
                written = write_build(root, sink, build=number, older=before)
        else:
            written = write_build(root, sink, build=number)
    return Build(root, written, pack.read_bytes())


@dataclass
class BytesSource:
    """A pack in memory. Counts what is asked for; `spoil` may change what is sent."""

    content: bytes
    spoil: Callable[[int, bytes], bytes] | None = None
    ranges: list[tuple[int, int]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def open_range(self, start: int, length: int) -> Iterator[RangeReader]:
        with self._lock:
            self.ranges.append((start, length))
        sent = self.content[start : start + length]
        yield BytesReader(self.spoil(start, sent) if self.spoil else sent)

    @property
    def sent(self) -> int:
        return sum(length for _, length in self.ranges)


class BytesReader:
    """Gives a few bytes at a time, as networks do."""

    def __init__(self, content: bytes) -> None:
        self._rest = memoryview(content)

    def readinto(self, view: memoryview) -> int:
        count = min(len(view), len(self._rest), 200_000)
        view[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def install(
    build: Build, into: Path, source: BytesSource | None = None, *, old: Build | None = None, reuse: Reuse = Reuse.COPY
) -> Applied:
    """Install the build into a directory, which is emptied; from an older one as an agent does, with its patch."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    return go_on(build, into, source, old=old, reuse=reuse)


def go_on(
    build: Build, into: Path, source: BytesSource | None = None, *, old: Build | None = None, reuse: Reuse = Reuse.COPY
) -> Applied:
    """As `install`, with what is in the directory already."""
    return apply(
        build.written.index,
        into,
        source or BytesSource(build.pack),
        old=old.local if old else None,
        patch=patch_between(old, build) if old else None,
        reuse=reuse,
    )


def patch_between(old: Build, new: Build) -> PatchObject | None:
    """The patch of the newer build, if it has one and it is for this older build."""
    encoded = new.written.patch
    if encoded is None or hashlib.sha256(old.written.encoded).digest() not in encoded[:100]:
        return None
    table = decode_patch(
        encoded, old.written.index, old.written.reference.sha256, new.written.index, new.written.reference.sha256
    )
    return PatchObject(table, encoded)
