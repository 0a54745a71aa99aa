"""Small private files that survive a kill or a power cut: each is either the old one or the complete new one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from slipway.agent.crash_points import fault_point


def private_folder(path: Path) -> Path:
    """The folder, created with mode 0700 where it is missing."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Replace `path` (mode 0600) by `document`, durable when this returns. Two processes may write at once: the last
    one wins. Raises OSError."""
    private_folder(path.parent)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    fsync_path(path.parent)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in `path`; None when there is none, or what is there is not one."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def fsync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_tree(root: Path, between: Callable[[], None]) -> None:
    """Flush every file and directory below `root`. `between` is called every few hundred files and may raise.

    Four threads, because a journalling file system commits the waiting fsyncs of several threads together. One
    `sync` for all would also wait for what the games on this machine are writing.
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
