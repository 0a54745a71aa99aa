"""The bytes that are pushed: a tar.gz that is there, or one packed from a directory into a file without a name, of
which nothing is left whatever happens."""

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
    """`sha256` is of its bytes, `tar_sha256` of the tar inside (lowercase hex); None where nobody has read them yet."""

    path: Path
    file_name: str
    descriptor: int
    size: int
    sha256: str | None = None
    tar_sha256: str | None = None
    mtime_ns: int = 0

    def fingerprint(self) -> str:
        """The same for the same bytes of the same place, now and after a reboot."""
        known = self.sha256 or [
            self.mtime_ns,
            hashlib.sha256(os.pread(self.descriptor, _FINGERPRINT_BYTES, 0)).hexdigest(),
        ]
        text = json.dumps([str(self.path.resolve()), self.size, known])
        return hashlib.sha256(text.encode()).hexdigest()

    def require_unchanged(self) -> None:
        """Raises CommandError when somebody wrote to the file since it was opened."""
        now = os.fstat(self.descriptor)
        if now.st_size != self.size or (self.mtime_ns and now.st_mtime_ns != self.mtime_ns):
            raise CommandError(
                f"{self.path} was changed while it was sent, so nothing was published. Push again when nothing writes "
                "to it.",
                ExitCode.REFUSED_ARCHIVE,
                "file_changed",
            )

    def compute_sha256(self, on_progress: Callable[[int], None]) -> str:
        """Read the whole file, unless its digest is known."""
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
    """A tar.gz as it lies there. Raises CommandError."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", ExitCode.USAGE) from error
    found = os.fstat(descriptor)
    if os.pread(descriptor, 2, 0) != b"\x1f\x8b":
        os.close(descriptor)
        raise CommandError(
            f"{path} is not a gzip file. Push a tar.gz, or the game's folder, which is then packed for you.",
            ExitCode.REFUSED_ARCHIVE,
            "invalid_archive",
        )
    return Archive(path, path.name, descriptor, found.st_size, mtime_ns=found.st_mtime_ns)


def pack_archive(path: Path, tree: DirectoryTree, on_progress: Callable[[int], None]) -> Archive:
    """A directory as an archive. Raises CommandError."""
    # Imported here: who sends a tar.gz need not wait for it.
    from slipway.cli.push.packing import pack

    # Not /tmp, which may be memory: a game is gigabytes.
    folder = os.environ.get("TMPDIR") or str(private_folder(cache_folder()))
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            packed = pack(tree, file, on_progress)
            descriptor = os.dup(file.fileno())
    except FileNotFoundError as error:
        raise CommandError(f"TMPDIR={folder} is no folder. Set it to one, or unset it.", ExitCode.USAGE) from error
    return Archive(path, f"{tree.top}.tar.gz", descriptor, packed.size, packed.sha256, packed.tar_sha256)
