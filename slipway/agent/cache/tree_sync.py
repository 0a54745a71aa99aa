"""Flushing a directory tree to disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from slipway.agent.crash_points import fault_point
from slipway.client.durable import fsync_path


def fsync_tree(root: Path, between: Callable[[], None]) -> None:
    """Flush every file and directory below `root`. `between` is called every 256 files and may raise.

    Four threads, because a journalling file system commits the waiting fsyncs of several threads together. A single
    `sync` would also wait for data that the games on this machine write.
    """
    with ThreadPoolExecutor(4, thread_name_prefix="fsync") as pool:
        files = _files_and_directories(root)
        while batch := list(islice(files, 256)):
            between()
            for _ in pool.map(_fsync_one, batch):
                pass
    fsync_path(root.parent)


def _fsync_one(path: Path) -> None:
    fault_point("fsync")
    fsync_path(path)


def _files_and_directories(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        directory = Path(folder)
        yield from (path for name in names if not (path := directory / name).is_symlink())
        yield directory
