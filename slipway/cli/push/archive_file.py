"""The archive to send: an open tar.gz, and what is known about its bytes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.push.checking.background_check import BackgroundCheck
from slipway.cli.push.checking.checked_reading import CheckedBytes


@dataclass(frozen=True)
class UpdateFacts:
    """`base`: the build that an update file was made against, whose archive has `base_bytes`. `same_files`: it is the
    newest build, and the directory has the same files."""

    base: int
    base_bytes: int
    same_files: bool


def file_identity(path: Path, mtime_ns: int) -> str:
    """What identifies a file of the user before its digest is known."""
    return f"file:{path.resolve()}:{mtime_ns}"


@dataclass
class Archive:
    """`file` is open for reading and belongs to the archive. `sha256` is the digest of the file, "" until its check has
    ended; `tar_sha256` that of the tar inside, for archives that were packed here (both lowercase hex). `file_identity`
    is the path and time of a file of the user. `check` runs while the archive is sent; without it the check was before.
    `mtime_ns` is 0 for a file that only this process can write to. `source` is its name in messages. `warnings` are
    findings of the check of its content. `upload_fields` are sent with the request that begins its upload. `update` is
    set for an update file, from which the platform assembles the archive."""

    source: str
    file_name: str
    file: IO[bytes]
    size: int
    sha256: str
    tar_sha256: str | None = None
    mtime_ns: int = 0
    warnings: tuple[str, ...] = ()
    upload_fields: dict[str, object] = field(default_factory=dict)
    update: UpdateFacts | None = None
    file_identity: str = ""
    check: BackgroundCheck | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def reserved_bytes(self) -> int:
        """What the platform reserves of the quota: for an update file also the archive that it will assemble."""
        return self.size + (self.update.base_bytes if self.update else 0)

    def read_at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset`; none at the end. Thread-safe. Not `os.pread`: Windows has none."""
        with self._lock:
            self.file.seek(offset)
            return self.file.read(size)

    def require_checked(self, end: int) -> None:
        """Wait until the bytes before `end` were checked. Raises CommandError if the archive is refused."""
        if self.check is not None:
            with self._unless_changed():
                self.check.wait_for(end)

    def finish_check(self) -> None:
        """Wait for the digest and the warnings. Raises CommandError if the archive is refused."""
        if self.check is not None:
            with self._unless_changed():
                self._take_over(self.check.result())

    @contextmanager
    def _unless_changed(self) -> Iterator[None]:
        """If the file was changed, that is the reason for whatever is wrong with it."""
        try:
            yield
        except CommandError:
            self.require_unchanged()
            raise

    def take_result(self) -> bool:
        """Whether the digest is known, without waiting for it."""
        if self.check is not None and (found := self.check.result_so_far):
            self._take_over(found)
        return bool(self.sha256)

    def _take_over(self, found: CheckedBytes) -> None:
        self.sha256, self.warnings = found.sha256, found.warnings

    def require_unchanged(self) -> None:
        """Raises CommandError if the file was changed since its digest was computed."""
        now = os.fstat(self.file.fileno())
        if now.st_size != self.size or (self.mtime_ns and now.st_mtime_ns != self.mtime_ns):
            raise CommandError(
                f"{self.source} was changed while it was being sent, so nothing was published. Push again when no "
                "program writes to it.",
                ExitCode.REFUSED_ARCHIVE,
                "file_changed",
            )

    def close(self) -> None:
        if self.check is not None:
            self.check.stop()
        self.file.close()
