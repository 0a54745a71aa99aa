"""The directory that a build is assembled in: its folders before, its links, modes and syncing after the content."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from slipway.disk_errors import error_at
from slipway.packs.format.index import Index, Kind
from slipway.packs.tree_files import TreeFiles
from slipway.packs.tree_modes import DIRECTORY_MODE, FILE_MODE, PROGRAM_MODE, make_directories_writable

_UNFINISHED_DIRECTORY, _UNFINISHED_FILE = 0o755, 0o600


def file_mode(kind: Kind) -> int:
    """The mode of an installed file."""
    return PROGRAM_MODE if kind is Kind.PROGRAM else FILE_MODE


def make_directories(root: Path, index: Index) -> None:
    """Make every directory of the index that is missing."""
    with TreeFiles(root) as files:
        for entry, kind in enumerate(index.entries.kinds):
            if kind == Kind.DIRECTORY:
                with files.place(index.path(entry)) as (parent, name):
                    _make_directory(name, parent)


def _make_directory(name: str, parent: int) -> None:
    try:
        os.mkdir(name, _UNFINISHED_DIRECTORY, dir_fd=parent)
        made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except FileExistsError:
        return
    try:
        os.fchmod(made, _UNFINISHED_DIRECTORY)
    finally:
        os.close(made)


def unfinished_files(root: Path, index: Index) -> bytearray:
    """A 1 for each entry whose file an earlier attempt has begun; whatever else stands below `root` is removed.

    That goes for links too: they are made last, and a hard link to an older build's file must not be written to. The
    attempt may have ended while it made everything read-only: what stays is writable again.
    """
    make_directories_writable(root)
    numbers = {path: entry for entry, path in enumerate(index.entries.paths)}
    found = bytearray(index.entry_count)
    _remove_links(root, index)
    top = os.fsencode(root)
    for folder, directories, names in os.walk(top):
        for name in [*directories, *names]:
            path = os.path.join(folder, name)  # noqa: PTH118 - bytes
            entry = numbers.get(path[len(top) + 1 :])
            status = os.lstat(path)
            kind = index.kind(entry) if entry is not None else None
            if kind is Kind.DIRECTORY and stat.S_ISDIR(status.st_mode):
                continue
            if entry is not None and kind and kind.is_file and stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                found[entry] = 1
                if not status.st_mode & stat.S_IWUSR:
                    os.chmod(path, _UNFINISHED_FILE)  # noqa: PTH101 - bytes
                if status.st_size > index.size(entry):
                    os.truncate(path, index.size(entry))
            elif stat.S_ISDIR(status.st_mode):
                directories.remove(name)
                shutil.rmtree(path)
            else:
                os.unlink(path)  # noqa: PTH108 - bytes
    return found


def _remove_links(root: Path, index: Index) -> None:
    """Before files are looked at: one with another name in the index is not one with another name in an older build."""
    with TreeFiles(root) as files:
        for entry in index.entries.targets:
            with suppress(OSError):
                parent, name = files.directory_of(index.path(entry))
                os.unlink(name, dir_fd=parent)


def make_links(root: Path, index: Index) -> None:
    """Make symbolic and hard links; all files are there."""
    with TreeFiles(root) as files, TreeFiles(root) as targets:
        for entry, kind in enumerate(index.entries.kinds):
            if kind == Kind.SYMLINK:
                with files.place(index.path(entry)) as (parent, name):
                    os.symlink(index.target(entry), name, dir_fd=parent)
            elif kind == Kind.HARD_LINK:
                with files.place(index.path(entry)) as (parent, name):
                    source, target = targets.directory_of(index.target(entry))
                    os.link(target, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)


def finish_files(root: Path, index: Index, entries: Iterable[int], check: Callable[[], None]) -> None:
    """Check the sizes of some files, set their modes, and sync them to disk. Makes those that have no content.

    `check` is called before each and may raise.
    """
    with TreeFiles(root) as files:
        for entry in entries:
            check()
            size = index.size(entry)
            # Never for writing: it may be another name of an older build's file, which is read-only.
            flags = os.O_RDONLY if size else os.O_RDONLY | os.O_CREAT
            path = index.path(entry)
            descriptor = files.open(path, flags)
            try:
                with error_at(root / path):
                    _finish_file(descriptor, size, file_mode(index.kind(entry)))
            finally:
                os.close(descriptor)


def _finish_file(descriptor: int, size: int, mode: int) -> None:
    status = os.fstat(descriptor)
    if status.st_size != size:
        raise OSError(errno.EIO, f"the file has {status.st_size} bytes, not {size}")
    if stat.S_IMODE(status.st_mode) != mode:
        os.fchmod(descriptor, mode)
    os.fsync(descriptor)


def finish_directories(root: Path, index: Index) -> None:
    """Make every directory read-only and sync it, the innermost first. `root` is only synced."""
    with TreeFiles(root) as files:
        for entry in range(index.entry_count - 1, -1, -1):
            if index.entries.kinds[entry] == Kind.DIRECTORY:
                with files.place(index.path(entry)) as (parent, name):
                    _sync_directory(name, parent, DIRECTORY_MODE)
    with error_at(root):
        _sync_directory(str(root), None)


def _sync_directory(name: str, parent: int | None, mode: int | None = None) -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if mode is not None:
            os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
