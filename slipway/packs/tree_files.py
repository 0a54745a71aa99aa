"""Opening what lies below a directory so that no link is followed, wherever it stands on the way."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slipway.closing_context import ClosingContext
from slipway.disk_errors import name_path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_READ_ONCE = 2**30


class TreeFiles(ClosingContext):
    """Holds open the directories down to the last file; paths that follow each other cost one call. For one thread.
    Errors of `open` and within `place` name the complete path."""

    def __init__(self, root: Path) -> None:
        """Raises OSError when `root` is not a directory, or is a link."""
        self._root = root
        self._names: list[str] = []
        self._chain = [os.open(root, _DIRECTORY)]  # one longer than _names

    def open(self, path: str, flags: int, mode: int = 0o600) -> int:
        """A descriptor of the regular file at `path`. Raises OSError, also for what is not a regular file."""
        with self.place(path) as (directory, name):
            descriptor = os.open(name, flags | _FILE, mode, dir_fd=directory)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise OSError(errno.EINVAL, "not a regular file")
        return descriptor

    @contextmanager
    def place(self, path: str) -> Iterator[tuple[int, str]]:
        """`directory_of(path)`, for calls whose errors are to name the complete path."""
        try:
            yield self.directory_of(path)
        except OSError as error:
            name_path(error, self._root / path)
            raise

    def directory_of(self, path: str) -> tuple[int, str]:
        """The open directory that holds `path`, and its name there. The descriptor is lent until the next call."""
        *above, name = path.split("/")
        if not {"", ".", ".."}.isdisjoint((name, *above)):
            raise PermissionError(errno.EPERM, "not a clean path", path)
        shared = 0
        while shared < min(len(above), len(self._names)) and above[shared] == self._names[shared]:
            shared += 1
        while len(self._names) > shared:
            self._names.pop()
            os.close(self._chain.pop())
        for step in above[shared:]:
            self._chain.append(os.open(step, _DIRECTORY, dir_fd=self._chain[-1]))
            self._names.append(step)
        return self._chain[-1], name

    def close(self) -> None:
        """Let go of the directories."""
        while self._chain:
            os.close(self._chain.pop())


def read_at(descriptor: int, view: memoryview, offset: int) -> int:
    """Fill `view` from the file's `offset`; returns how many bytes there were."""
    filled = 0
    while filled < len(view):
        count = os.preadv(descriptor, [view[filled : filled + _READ_ONCE]], offset + filled)
        if not count:
            break
        filled += count
    return filled


def write_at(descriptor: int, view: memoryview, offset: int) -> None:
    """Write all of `view` at the file's `offset`."""
    while view:
        count = os.pwrite(descriptor, view, offset)
        view, offset = view[count:], offset + count
