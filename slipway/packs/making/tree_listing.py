"""What stands below a directory, in the order of an index."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from slipway.archive.archive_rejected import display_name
from slipway.packs.format.index import Kind
from slipway.packs.format.refusals import TreeUnsuitable

_EXECUTE_BITS = 0o111


class Found(NamedTuple):
    """`path` is relative; `target` as in Entries, empty for what is no link; `size` in bytes, of files alone."""

    path: bytes
    kind: Kind
    size: int
    target: bytes


def list_tree(root: Path) -> Iterator[Found]:
    """Everything below `root`, each directory before what it holds. Of several names of one file the first is the file.

    Raises TreeUnsuitable for devices, sockets and named pipes, and OSError.
    """
    first_names: dict[tuple[int, int], bytes] = {}
    waiting = list(reversed(_entries(os.fsencode(root))))
    start = len(os.fsencode(root)) + 1
    while waiting:
        entry = waiting.pop()
        path = entry.path[start:]
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            yield Found(path, Kind.DIRECTORY, 0, b"")
            waiting += reversed(_entries(entry.path))
        elif stat.S_ISLNK(status.st_mode):
            yield Found(path, Kind.SYMLINK, 0, os.readlink(entry.path))  # noqa: PTH115 - bytes
        elif stat.S_ISREG(status.st_mode):
            yield _file(path, status, first_names)
        else:
            raise TreeUnsuitable(f"{display_name(path)} is no file, directory or link")


def _entries(directory: bytes) -> list[os.DirEntry[bytes]]:
    with os.scandir(directory) as found:
        return sorted(found, key=lambda entry: entry.name)


def _file(path: bytes, status: os.stat_result, first_names: dict[tuple[int, int], bytes]) -> Found:
    if status.st_nlink > 1:
        first = first_names.setdefault((status.st_dev, status.st_ino), path)
        if first != path:
            return Found(path, Kind.HARD_LINK, 0, first)
    kind = Kind.PROGRAM if status.st_mode & _EXECUTE_BITS else Kind.FILE
    return Found(path, kind, status.st_size, b"")
