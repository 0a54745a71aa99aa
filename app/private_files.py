"""The instance folder is its owner's alone: database, secrets, credentials of the storage, logs.

What this version makes is private from its first byte (`keep_new_files_private`). What an older version, a restored
backup or a copy left open is closed at start (`make_private`).
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from app.environment import SettingsError

log = logging.getLogger(__name__)

_PRIVATE_FOLDER = 0o700
_OTHERS = 0o077
# What an instance folder holds. Named rather than taken as everything there is: a setting that names the wrong folder
# must not change the files of others. Below these folders nobody else gets: their own mode stops them.
_OURS = (
    *("secret_key*", "demo*", "*.db", "*.db-*", "*.lock"),
    *("logs", "logs/*", "servers", "storage", "storage/*", "storage/volume/*"),
)


def keep_new_files_private() -> None:
    """From now on, files that this process and its children make are nobody else's to read: 0600, folders 0700. For
    the beginning of a process; SQLite, for one, makes its files by the umask."""
    os.umask(_OTHERS)


def make_private(instance: Path) -> None:
    """Make the instance folder if it is missing, and close it to others: folders become 0700, files 0600. Logs one line
    when something was open. Raises SettingsError for a folder that cannot be made private."""
    try:
        instance.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        if instance.stat().st_mode & stat.S_ISVTX:
            raise SettingsError(
                f"SLIPWAY_INSTANCE={str(instance)!r} is a folder that everybody shares. Name a folder of its own."
            )
    except OSError as error:
        raise SettingsError(f"SLIPWAY_INSTANCE={str(instance)!r} cannot be made a folder: {error.strerror}.") from None
    closed = [path for path in _ours(instance) if _close(path)]
    if closed:
        names = ", ".join(str(path.relative_to(instance)) for path in closed[:10])
        more = f" and {len(closed) - 10} more" if len(closed) > 10 else ""
        log.warning("%s was open to others; only its owner can read this from now on: %s%s", instance, names, more)


def _ours(instance: Path) -> Iterator[Path]:
    """The folder first: what is in it is out of reach from then on."""
    yield instance
    for pattern in _OURS:
        yield from sorted(instance.glob(pattern))


def _close(path: Path) -> bool:
    """Whether it had to be closed. A link is left alone: what it leads to is not in the folder."""
    try:
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink() or not mode & _OTHERS:
            return False
        path.chmod(mode & ~_OTHERS)
    except FileNotFoundError:  # SQLite takes its own files away when the last connection closes
        return False
    except OSError as error:
        raise SettingsError(
            f"{path} is open to others (mode {mode:04o}) and cannot be closed to them: {error.strerror}. Run "
            f"`chmod go= {path}` as its owner, or set SLIPWAY_INSTANCE to a folder of the user that runs Slipway."
        ) from None
    return True
