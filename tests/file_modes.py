"""Permissions of the files of an instance."""

from __future__ import annotations

import stat
from pathlib import Path


def mode_of(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.lstat().st_mode)


def open_to_others(instance: Path) -> dict[str, str]:
    """Paths of an instance that other users may read or write, with their modes. Paths below `servers` and the
    storage's blocks do not count, because the folders above them are closed."""
    closed = (instance / "servers", instance / "storage" / "volume" / "data")
    found = [path for path in (instance, *instance.rglob("*")) if not any(folder in path.parents for folder in closed)]
    return {str(path): oct(mode_of(path)) for path in found if not path.is_symlink() and mode_of(path) & 0o077}
