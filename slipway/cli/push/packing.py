"""Packs a directory into a reproducible tar.gz: the same tree gives the same bytes, for any user and at any time.
One pass, constant memory."""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, Protocol

from isal import igzip

from slipway.archive.archive_member import Kind, Member
from slipway.archive.archive_writing import COMPRESSION_LEVEL, WRITE_BYTES, tar_member
from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.push.directory_tree import DirectoryTree, TreeEntry
from slipway.cli.push.temporary_file import no_space
from slipway.client.file_flags import O_BINARY, O_NOFOLLOW
from slipway.client.printable import printable

# Windows has none. There, scripts and programs for Linux are recognised by how they begin.
_HAS_EXECUTE_BITS = os.name == "posix"
_EXECUTABLE_BEGINNINGS = (b"#!", b"\x7fELF")


@dataclass(frozen=True)
class Packed:
    """The archive's size in bytes, and the digests of the archive and of the tar inside it (lowercase hex)."""

    size: int
    sha256: str
    tar_sha256: str


class Target(Protocol):
    """Where the archive is written to."""

    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> None: ...


class _HashingWriter:
    """Passes writes on to `target`, and counts and hashes them."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.size += len(data)
        self._target.write(data)
        return len(data)

    def flush(self) -> None:
        self._target.flush()


def pack(tree: DirectoryTree, target: Target, on_progress: Callable[[int], None]) -> Packed:
    """Write the archive. `on_progress` receives the bytes of contents packed so far. Raises CommandError."""
    outer = _HashingWriter(target)
    open_packed: Any = igzip.GzipFile  # has no type hints
    try:
        # No file name and no time in its header.
        with open_packed(filename="", mode="wb", compresslevel=COMPRESSION_LEVEL, fileobj=outer, mtime=0) as packed:
            inner = _HashingWriter(packed)
            _write_tar(tree, inner, on_progress)
        outer.flush()
    except OSError as error:
        raise no_space(error) from error
    return Packed(outer.size, outer.digest.hexdigest(), inner.digest.hexdigest())


def _write_tar(tree: DirectoryTree, sink: Any, on_progress: Callable[[int], None]) -> None:
    done = 0
    open_tar: Any = tarfile.open  # its type hints lack copybufsize
    with open_tar(
        fileobj=sink, mode="w|", bufsize=WRITE_BYTES, copybufsize=WRITE_BYTES, format=tarfile.PAX_FORMAT
    ) as tar:
        for entry in tree.entries:
            member = tar_member(member_of(entry))
            if not member.isreg():
                tar.addfile(member)
                continue
            with _open_entry(entry) as file:
                counted = _CountingReader(file, done, on_progress)
                try:
                    tar.addfile(member, counted)
                except tarfile.ReadError as error:
                    raise _changed(entry) from error
                except OSError as error:
                    # tarfile says "unexpected end of data" without an errno when a file has shrunk.
                    raise (_changed(entry) if error.errno is None else error) from error
            done += member.size
    on_progress(done)


def member_of(entry: TreeEntry) -> Member:
    """The entry as a member of an archive. Raises CommandError."""
    mode = entry.status.st_mode
    if stat.S_ISDIR(mode):
        return Member(entry.name, Kind.DIRECTORY, 0, None)
    if stat.S_ISLNK(mode):
        return Member(entry.name, Kind.SYMLINK, 0, None, _link_target(entry))
    return Member(entry.name, Kind.PROGRAM if _is_executable(entry) else Kind.FILE, entry.status.st_size, None)


def _is_executable(entry: TreeEntry) -> bool:
    if _HAS_EXECUTE_BITS or not stat.S_ISREG(entry.status.st_mode):
        return bool(entry.status.st_mode & 0o111)
    with _open_entry(entry) as file:
        return file.read(4).startswith(_EXECUTABLE_BEGINNINGS)


def _link_target(entry: TreeEntry) -> str:
    target = os.fsencode(os.readlink(entry.path))  # noqa: PTH115 - Path would tidy the text of the link
    try:
        return target.decode("utf-8").replace(os.sep, "/")
    except UnicodeDecodeError:
        raise CommandError(
            f"{printable(entry.name)} is a link to a name that is not UTF-8. Change it, then push again.",
            ExitCode.REFUSED_ARCHIVE,
            "invalid_archive",
        ) from None


def _open_entry(entry: TreeEntry) -> IO[bytes]:
    try:
        file = os.fdopen(os.open(entry.path, os.O_RDONLY | O_NOFOLLOW | O_BINARY), "rb", buffering=0)
    except OSError as error:
        raise CommandError(
            f"{printable(entry.name)} cannot be read: {error.strerror}. Make it readable, then push again.",
            ExitCode.REFUSED_ARCHIVE,
        ) from error
    if os.fstat(file.fileno()).st_size != entry.status.st_size:
        file.close()
        raise _changed(entry)
    return file


class _CountingReader:
    def __init__(self, file: IO[bytes], before: int, on_progress: Callable[[int], None]) -> None:
        self._file, self._done, self._on_progress = file, before, on_progress

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._done += len(data)
        self._on_progress(self._done)
        return data


def _changed(entry: TreeEntry) -> CommandError:
    return CommandError(
        f"{printable(entry.name)} was changed while it was being packed. Push again when no program writes there.",
        ExitCode.REFUSED_ARCHIVE,
    )
