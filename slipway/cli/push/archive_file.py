"""The archive to push: an existing tar.gz, or one packed from a directory into a file without a name, which the system
deletes when the command ends for any reason."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slipway.cli.command_error import CommandError
from slipway.cli.credentials import cache_folder
from slipway.cli.exit_codes import ExitCode
from slipway.cli.push.directory_tree import DirectoryTree
from slipway.client.durable import private_folder

_FINGERPRINT_BYTES = 8 << 20
_READ_BYTES = 1 << 20


@dataclass
class Archive:
    """`sha256` is the digest of the file, `tar_sha256` of the tar inside (lowercase hex); None if not computed yet."""

    path: Path
    file_name: str
    descriptor: int
    size: int
    sha256: str | None = None
    tar_sha256: str | None = None
    mtime_ns: int = 0

    def fingerprint(self) -> str:
        """Identifies the same bytes at the same path, also after a reboot."""
        known = self.sha256 or [
            self.mtime_ns,
            hashlib.sha256(os.pread(self.descriptor, _FINGERPRINT_BYTES, 0)).hexdigest(),
        ]
        text = json.dumps([str(self.path.resolve()), self.size, known])
        return hashlib.sha256(text.encode()).hexdigest()

    def require_unchanged(self) -> None:
        """Raises CommandError if the file was changed since it was opened."""
        now = os.fstat(self.descriptor)
        if now.st_size != self.size or (self.mtime_ns and now.st_mtime_ns != self.mtime_ns):
            raise CommandError(
                f"{self.path} was changed while it was being sent, so nothing was published. Push again when no "
                "program writes to it.",
                ExitCode.REFUSED_ARCHIVE,
                "file_changed",
            )

    def compute_sha256(self, on_progress: Callable[[int], None]) -> str:
        """The digest of the file (lowercase hex), computed once."""
        if self.sha256 is None:
            digest, done = hashlib.sha256(), 0
            while piece := os.pread(self.descriptor, _READ_BYTES, done):
                digest.update(piece)
                done += len(piece)
                on_progress(done)
            self.sha256 = digest.hexdigest()
        return self.sha256

    def close(self) -> None:
        os.close(self.descriptor)


def open_archive(path: Path) -> Archive:
    """Open an existing tar.gz. Raises CommandError."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", ExitCode.USAGE) from error
    found = os.fstat(descriptor)
    if os.pread(descriptor, 2, 0) != b"\x1f\x8b":
        os.close(descriptor)
        raise CommandError(
            f"{path} is not a gzip file. Push a tar.gz, or the game's folder to have it packed for you.",
            ExitCode.REFUSED_ARCHIVE,
            "invalid_archive",
        )
    return Archive(path, path.name, descriptor, found.st_size, mtime_ns=found.st_mtime_ns)


def pack_archive(path: Path, tree: DirectoryTree, on_progress: Callable[[int], None]) -> Archive:
    """Pack a directory into an archive. Raises CommandError."""
    # Imported here, because pushing a tar.gz does not need it.
    from slipway.cli.push.packing import pack

    # Not /tmp, which may be memory: a game is gigabytes.
    folder = os.environ.get("TMPDIR") or str(private_folder(cache_folder()))
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            packed = pack(tree, file, on_progress)
            descriptor = os.dup(file.fileno())
    except FileNotFoundError as error:
        raise CommandError(
            f"TMPDIR is {folder}, which is not a folder. Set it to a folder, or unset it.", ExitCode.USAGE
        ) from error
    return Archive(path, f"{tree.top}.tar.gz", descriptor, packed.size, packed.sha256, packed.tar_sha256)
