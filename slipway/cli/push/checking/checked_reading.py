"""Reads a tar.gz once: inspects it, and computes its SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Protocol

from slipway.archive.archive_rejected import ArchiveRejected
from slipway.cli.push.checking.archive_check import ArchiveCheck, ArchiveRules, refused_archive
from slipway.cli.push.temporary_file import no_space

_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class CheckedBytes:
    """What was read: its size in bytes, its digest (lowercase hex), and the warnings about its content."""

    size: int
    sha256: str
    warnings: tuple[str, ...]


class Source(Protocol):
    """Where the archive is read from."""

    def read(self, size: int, /) -> bytes: ...


def read_checked(
    source: Source,
    rules: ArchiveRules,
    on_progress: Callable[[int], None],
    *,
    size: int | None = None,
    copy_to: IO[bytes] | None = None,
) -> CheckedBytes:
    """Read a tar.gz of `size` bytes, or of an unknown size, to its end. `on_progress` receives the bytes that were
    checked so far. Raises CommandError."""
    check, digest, done = ArchiveCheck(rules, size), hashlib.sha256(), 0
    # Hashing and decompressing each take a core.
    with ThreadPoolExecutor(1) as hashing:
        try:
            while piece := source.read(_READ_BYTES):
                hashed = hashing.submit(digest.update, piece)
                check.feed(piece)
                if copy_to is not None:
                    _write(copy_to, piece)
                hashed.result()
                done += len(piece)
                on_progress(done)
            return CheckedBytes(done, digest.hexdigest(), check.finish())
        except ArchiveRejected as rejected:
            raise refused_archive(rejected) from rejected


def _write(file: IO[bytes], piece: bytes) -> None:
    try:
        file.write(piece)
        file.flush()
    except OSError as error:
        raise no_space(error) from error
