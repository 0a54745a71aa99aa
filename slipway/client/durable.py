"""Small private files that survive a kill or a power cut: a file has either its old or its new content."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from slipway.client.file_flags import O_NOFOLLOW
from slipway.client.json_documents import json_object
from slipway.disk_errors import error_at


def private_folder(path: Path) -> Path:
    """Create the folder with mode 0700 if it is missing, and return it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def write_json(path: Path, document: dict[str, Any]) -> None:
    """As `write_bytes`. Raises OSError."""
    write_bytes(path, json.dumps(document).encode())


def write_bytes(path: Path, *parts: bytes) -> None:
    """Atomically write `parts`, joined, to `path` (mode 0600). They are on disk when this returns. If two processes
    write, the last one wins. Raises OSError."""
    private_folder(path.parent)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | O_NOFOLLOW, 0o600)
    try:
        with error_at(path), os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    fsync_path(path.parent)


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`. None if the file is missing or contains anything else. Raises OSError."""
    try:
        return json_object(path.read_bytes())
    except FileNotFoundError:
        return None


def fsync_path(path: Path) -> None:
    """Write a file or a folder through to the disk. Windows cannot open folders, and needs no sync for a rename."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY | O_NOFOLLOW)
    try:
        with error_at(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
