"""flock on files in `.slipway`: the kernel drops them when a process dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class CacheTaken(Exception):
    """Another agent runs on this cache directory."""


def hold_for_life(path: Path) -> int:
    """Lock `path` for as long as this process lives; the descriptor. Raises CacheTaken, naming the holder's pid."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise CacheTaken(holder or "unknown") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


@contextmanager
def locked(path: Path, *, shared: bool = False, patience: float | None = None) -> Iterator[bool]:
    """Hold the lock of `path` for the block. Waits without end, or `patience` seconds and then goes on
    without it (False)."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _acquire(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, patience)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, operation: int, patience: float | None) -> bool:
    if patience is None:
        fcntl.flock(descriptor, operation)
        return True
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            # flock has no timeout of its own, and an alarm signal belongs to the main thread alone.
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
