"""Only its owner can read the instance folder: database, secrets, credentials of the storage, logs.

Files that this version makes are private from their first byte (`keep_new_files_private`, `write_private`). At start,
`make_private` closes files that an older version, a restored backup or a copy left open.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.config.environment import SettingsError

log = logging.getLogger(__name__)

_PRIVATE_FOLDER = 0o700
_OTHERS = 0o077
# The content of an instance folder. A list and not every file there: a setting that names the wrong folder must
# not change other files. Nobody else can reach what is below these folders: the folders' own mode prevents it.
_OURS = (
    *("secret_key*", "web_address*", "demo*", "*.db", "*.db-*", "*.lock"),
    *("logs", "logs/*", "servers", "storage", "storage/*", "storage/volume/*"),
)


def keep_new_files_private() -> None:
    """From now on, only the owner can read the files that this process and its children make: 0600, folders 0700. Call
    it when a process begins: SQLite, for example, makes its files by the umask."""
    os.umask(_OTHERS)


def write_private(path: Path, text: str, *, replace: bool = True) -> None:
    """Write a file that only its owner can read (0600), durable and complete under its name. With `replace` false, a
    file that is already there stays."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")  # two processes may write the same file at once
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # a name without content after a power cut would stop every later start
        if replace:
            draft.replace(path)
        else:
            with suppress(FileExistsError):  # another process was first
                os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


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
    """The folder first: once it is closed, nobody else can reach its content."""
    yield instance
    for pattern in _OURS:
        yield from sorted(instance.glob(pattern))


def _close(path: Path) -> bool:
    """Whether it had to be closed. A link is skipped: its target is not in the folder."""
    try:
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink() or not mode & _OTHERS:
            return False
        path.chmod(mode & ~_OTHERS)
    except FileNotFoundError:  # SQLite removes its own files when the last connection closes
        return False
    except OSError as error:
        raise SettingsError(
            f"{path} is open to others (mode {mode:04o}) and cannot be closed to them: {error.strerror}. Run "
            f"`chmod go= {path}` as its owner, or set SLIPWAY_INSTANCE to a folder of the user that runs Slipway."
        ) from None
    return True
