"""flock on files in `.slipway`: the kernel releases the locks when a process ends for any reason."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class CacheInUse(Exception):
    """Another agent is running on this cache directory; str() is its pid."""


def lock_until_exit(path: Path) -> int:
    """Lock `path` until this process ends; returns the descriptor. Raises CacheInUse with the holder's pid."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise CacheInUse(holder or "unknown") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Lock `path` for the block, against other threads and other processes."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class BuildInUse(Exception):
    """Another thread or process has locked the build."""


@contextmanager
def build_lock(marker: Path, *, exclusive: bool = False) -> Iterator[None]:
    """Lock a complete build for the block: shared by those that read it, `exclusive` to remove it, without waiting.

    The lock belongs to the build's marker in `.slipway`, so it needs no file of its own. A lock on the build's
    directory could be taken by every program that may read it, such as a game. Raises FileNotFoundError without a
    marker, and BuildInUse if somebody has locked it otherwise.
    """
    descriptor = os.open(marker, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BuildInUse(str(marker)) from None
        if not os.path.samestat(os.fstat(descriptor), marker.stat()):
            raise FileNotFoundError(errno.ENOENT, "it was replaced meanwhile", str(marker))
        yield
    finally:
        os.close(descriptor)
