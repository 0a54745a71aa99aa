"""Where an archive comes from: a tar.gz, a directory that is packed, or standard input. Each is read once, and checked
against the platform's rules, before anything is sent."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.push.archive_file import Archive, file_identity
from slipway.cli.push.checking.archive_check import ArchiveCheck, ArchiveRules, refused_folder
from slipway.cli.push.checking.background_check import BackgroundCheck
from slipway.cli.push.checking.checked_reading import read_checked
from slipway.cli.push.directory_tree import DirectoryTree
from slipway.cli.push.temporary_file import temporary_file

STANDARD_INPUT = Path("-")
# Of an archive that is checked while it is sent. Most archives that are refused are refused for their beginning.
_CHECKED_FIRST = 32 * 2**20
OnProgress = Callable[[int], None]


@dataclass(frozen=True)
class SourceOptions:
    """`keep` False: the archive is only read and checked, not kept for sending (`--dry-run`)."""

    rules: ArchiveRules
    keep: bool = True

    @property
    def limits(self) -> ArchiveLimits:
        return ArchiveLimits(unpacked_bytes=self.rules.max_unpacked_bytes)


def read_archive(path: Path, options: SourceOptions, on_progress: OnProgress) -> Archive:
    """Open and check a tar.gz. Raises CommandError."""
    archive = _open(path, options.rules)
    try:
        read = read_checked(archive.file, options.rules, on_progress, size=archive.size)
        archive.sha256, archive.warnings = read.sha256, read.warnings
        archive.require_unchanged()
    except BaseException:
        archive.close()
        raise
    return archive


def open_archive(path: Path, rules: ArchiveRules) -> Archive:
    """Open a tar.gz that is checked while it is sent, and check its beginning. Raises CommandError."""
    archive = _open(path, rules)
    archive.check = BackgroundCheck(archive.read_at, rules, archive.size)
    try:
        archive.require_checked(min(archive.size, _CHECKED_FIRST))
    except BaseException:
        archive.close()
        raise
    return archive


def _open(path: Path, rules: ArchiveRules) -> Archive:
    try:
        file: IO[bytes] = path.open("rb", buffering=0)
        found = os.fstat(file.fileno())
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", ExitCode.USAGE) from error
    try:
        rules.require_size(found.st_size)
    except BaseException:
        file.close()
        raise
    identity = file_identity(path, found.st_mtime_ns)
    return Archive(str(path), path.name, file, found.st_size, "", None, found.st_mtime_ns, file_identity=identity)


def read_standard_input(file_name: str, options: SourceOptions, on_progress: OnProgress) -> Archive:
    """Copy standard input into a temporary file, checking it. `file_name` is shown with the build. Raises
    CommandError."""
    if sys.stdin.isatty():
        raise CommandError(
            "Standard input is a terminal. Pipe a tar.gz into it: tar czf - mygame | slipway push - GAME",
            ExitCode.USAGE,
        )
    return _copy("Standard input", sys.stdin.buffer, file_name, options, on_progress)


def read_pipe(path: Path, file_name: str, options: SourceOptions, on_progress: OnProgress) -> Archive:
    """The same for a named pipe, or another path that can be read only once."""
    try:
        with path.open("rb") as pipe:
            return _copy(str(path), pipe, file_name, options, on_progress)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", ExitCode.USAGE) from error


def _copy(source: str, stream: IO[bytes], file_name: str, options: SourceOptions, on_progress: OnProgress) -> Archive:
    file = _target(options)
    try:
        read = read_checked(stream, options.rules, on_progress, copy_to=file)
    except BaseException:
        file.close()
        raise
    return Archive(source, file_name, file, read.size, read.sha256, warnings=read.warnings)


def pack_directory(path: Path, tree: DirectoryTree, options: SourceOptions, on_progress: OnProgress) -> Archive:
    """Pack a directory into a temporary file, checking the archive. Raises CommandError."""
    # Imported here, because pushing a tar.gz does not need it.
    from slipway.cli.push.packing import pack

    check = ArchiveCheck(options.rules)
    file = _target(options)
    try:
        packed = pack(tree, _CheckedFile(file, check), on_progress)
        warnings = check.finish()
    except ArchiveRejected as rejected:
        file.close()
        raise refused_folder(rejected) from rejected
    except BaseException:
        file.close()
        raise
    return Archive(
        str(path), f"{tree.top}.tar.gz", file, packed.size, packed.sha256, packed.tar_sha256, warnings=warnings
    )


def _target(options: SourceOptions) -> IO[bytes]:
    return temporary_file() if options.keep else open(os.devnull, "w+b")  # noqa: PTH123 - the archive closes it


class _CheckedFile:
    """Passes what is written to a file on to a check."""

    def __init__(self, file: IO[bytes], check: ArchiveCheck) -> None:
        self._file, self._check = file, check

    def write(self, data: bytes) -> int:
        self._check.feed(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()
