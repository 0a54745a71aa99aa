"""Modes of an installed build: nobody may write to it, not even its owner by mistake.

The owner needs writable directories to continue, mend or delete a build. File modes are left alone then, because a file
may be linked with another build's.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from slipway.disk_errors import error_at

DIRECTORY_MODE, FILE_MODE, PROGRAM_MODE = 0o555, 0o444, 0o555
_WRITABLE_DIRECTORY = 0o755


def make_read_only(root: Path) -> None:
    """Set the modes of everything below `root`, but not of `root` itself. A program stays one. Links are not followed.
    Raises OSError."""
    for folder, directories, names in os.walk(os.fsencode(root), onerror=_raise):
        for name in [*directories, *names]:
            path = os.path.join(folder, name)  # noqa: PTH118 - bytes
            status = os.lstat(path)
            wanted = _read_only_mode(status.st_mode)
            if wanted is not None and stat.S_IMODE(status.st_mode) != wanted:
                os.chmod(path, wanted)  # noqa: PTH101 - bytes


def make_directories_writable(root: Path) -> None:
    """Make every directory below `root`, and `root` itself, writable for its owner. Raises OSError."""
    _make_writable(os.fsencode(root))
    for folder, directories, _ in os.walk(os.fsencode(root), onerror=_raise):
        for name in directories:
            _make_writable(os.path.join(folder, name))  # noqa: PTH118 - bytes


def remove_tree(path: Path) -> None:
    """Delete a directory tree, a file or a link; never the target of a link. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        make_directories_writable(path)
        with error_at(path):
            shutil.rmtree(path)
    else:
        path.unlink()


def _read_only_mode(mode: int) -> int | None:
    if stat.S_ISDIR(mode):
        return DIRECTORY_MODE
    if stat.S_ISREG(mode):
        return PROGRAM_MODE if mode & stat.S_IXUSR else FILE_MODE
    return None


def _make_writable(path: bytes) -> None:
    status = os.lstat(path)
    if stat.S_ISDIR(status.st_mode) and status.st_mode & 0o700 != 0o700:
        os.chmod(path, _WRITABLE_DIRECTORY)  # noqa: PTH101 - bytes


def _raise(error: OSError) -> None:
    raise error
