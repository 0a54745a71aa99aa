"""Errors of the disk that name the complete path.

A call relative to an open directory names only the last step of its path, and a call on an open file names none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def name_path(error: OSError, path: Path) -> None:
    """Let the error name `path`, unless it names a complete path already."""
    name = error.filename  # of calls on an open file, its number
    if error.errno is not None and not (isinstance(name, str | bytes) and Path(os.fsdecode(name)).is_absolute()):
        error.filename = str(path)


@contextmanager
def error_at(path: Path) -> Iterator[None]:
    """Let every OSError within name `path`, unless it names a complete path already."""
    try:
        yield
    except OSError as error:
        name_path(error, path)
        raise
