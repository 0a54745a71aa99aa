"""What a backup consists of on disk.

    manifest.json                       names the snapshot that counts; written last, in one step
    snapshots/<time>/<table>.jsonl.gz   its rows
    snapshots/<time>/objects.jsonl.gz   its objects: key, size, SHA-256, headers
    snapshots/<time>/secret_key
    objects/<key>                       the objects; their keys never get other content

A backup into the same folder again writes a new snapshot and copies only new objects. Whatever ends it early, the
earlier snapshot stays complete.
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import json
import os
import re
import shutil
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from app.config.private_files import write_private
from app.refusals import Conflict, NotFound

FORMAT = 1
_SNAPSHOT_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z")  # others could lead out of the folder


@dataclass(frozen=True)
class Manifest:
    """`made_at`: ISO 8601. `rows`: by table. `objects` and `bytes`: of storage."""

    snapshot: str
    made_at: str
    version: str
    revision: str
    database: str
    rows: dict[str, int]
    objects: int
    bytes: int
    format: int = FORMAT


@dataclass(frozen=True)
class BackedUpObject:
    """`sha256`: lowercase hex. `headers`: as they are stored with the object."""

    key: str
    size: int
    sha256: str
    headers: dict[str, str] = field(default_factory=dict)


class BackupFolder:
    """The paths of one backup."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects = folder / "objects"
        self._manifest = folder / "manifest.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder, private to its owner, and keep other backups out of it. Raises Conflict."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._manifest.exists() and any(path.name not in {".lock", *_OWN} for path in self.folder.iterdir()):
            raise Conflict(f"{self.folder} holds other files and no backup. Name an empty folder, or a new one.")
        self._make_private()
        with self._open_lock() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(f"Another backup is being written to {self.folder}. Wait until it ends.") from None
            self.require_plain_files()
            yield

    def _make_private(self) -> None:
        try:
            self.folder.chmod(0o700)
        except PermissionError:
            raise Conflict(
                f"{self.folder} belongs to another user, who could change the backup. Name a folder of this user's own."
            ) from None

    def _open_lock(self) -> IO[bytes]:
        path = self.folder / ".lock"
        try:
            return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "rb")
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _no_plain_file(path) from None
            raise

    def require_plain_files(self) -> None:
        """Raises Conflict if the folder holds anything but files and folders. Through a link, a backup would delete and
        overwrite files elsewhere; a pipe or a device has no end."""
        for path in self.folder.rglob("*"):
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise _no_plain_file(path)

    def manifest(self) -> Manifest | None:
        """None without a complete backup. Raises Conflict for a damaged one, and for one of another format."""
        try:
            found = json.loads(self._manifest.read_text())
            if found["format"] == FORMAT:
                manifest = Manifest(**found)
                if _SNAPSHOT_NAME.fullmatch(manifest.snapshot):
                    return manifest
                raise ValueError(manifest.snapshot)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise Conflict(f"The backup is damaged: {self._manifest} cannot be read.") from None
        raise Conflict(f"{self.folder} was written by another version of Slipway. Restore it with that version.")

    def required_manifest(self) -> Manifest:
        """Raises NotFound without a complete backup."""
        found = self.manifest()
        if found is None:
            raise NotFound(f"{self.folder} holds no complete backup: there is no manifest.json in it.")
        return found

    def commit(self, manifest: Manifest) -> None:
        """From now on, this snapshot counts. Removes earlier ones, and objects that it does not name."""
        write_private(self._manifest, json.dumps(asdict(manifest), indent=2))
        for snapshot in (self.folder / "snapshots").iterdir():
            if snapshot.name != manifest.snapshot:
                shutil.rmtree(snapshot)
        named = {self.object_path(found.key) for found in self.backed_up_objects(manifest.snapshot)}
        for path in self.objects.rglob("*"):
            if path.is_file() and path not in named:
                path.unlink()

    def snapshot(self, name: str) -> Path:
        return self.folder / "snapshots" / name

    def object_path(self, key: str) -> Path:
        """Raises Conflict for a key that leads out of the folder: a backup may come from elsewhere."""
        parts = PurePosixPath(key).parts
        if not parts or key.startswith("/") or ".." in parts or "\0" in key:
            raise Conflict(f"The backup names an object {key!r}, which is not the key of one.")
        return self.objects.joinpath(*parts)

    def backed_up_objects(self, snapshot: str) -> Iterator[BackedUpObject]:
        path = self.snapshot(snapshot) / "objects.jsonl.gz"
        for line in read_lines(path):
            try:
                yield BackedUpObject(**line)
            except TypeError:
                raise Conflict(f"The backup is damaged: {path} has a line that names no object.") from None

    def write_objects(self, snapshot: str, found: Iterable[BackedUpObject]) -> None:
        write_lines(self.snapshot(snapshot) / "objects.jsonl.gz", (asdict(one) for one in found))


def _no_plain_file(path: Path) -> Conflict:
    return Conflict(f"{path} is a link or a special file, and no part of a backup. Remove it.")


_OWN = ("snapshots", "objects")  # an interrupted first backup left them


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> int:
    """Write JSON lines, compressed and durable. Returns how many."""
    count = 0
    with path.open("wb") as file:
        with gzip.open(file, "wt", encoding="utf-8", compresslevel=6) as text:
            for line in lines:
                text.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
                count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of `write_lines`. Raises Conflict when the file is damaged."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as text:
            for line in text:
                yield json.loads(line)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise Conflict(f"The backup is damaged: {path} cannot be read ({error}).") from None
