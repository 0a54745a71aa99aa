"""Unpacking an archive into an empty directory, with the same parser and rules as inspection."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.inspection import Inspection, Inspector
from slipway.archive.member_writing import TreeWriter

_READ_BYTES = 256 * 2**10


class UnpackCancelled(Exception):
    """`cancelled` returned True. The directory contains a part of the archive."""


def unpack(
    source: BinaryIO,
    into: Path,
    limits: ArchiveLimits,
    launcher: str | None,
    progress: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Inspection:
    """Unpack the tar.gz in `source` into `into`, an existing empty directory.

    `progress` receives the compressed bytes consumed so far; `cancelled` is called between pieces.

    Directories get mode 0755, files 0755 or 0644 by their execute bit, regardless of the umask. Modification times of
    files are kept; owners, other modes and extended attributes are not. Nothing is synced to disk.

    Raises ArchiveRejected, UnpackCancelled, FileExistsError if `into` is not empty, and OSError from the file system
    (disk full). After an error `into` may contain a part of the archive; the caller must delete it.
    """
    consumed = 0
    with TreeWriter(into) as writer:
        # A build that cannot start is rejected before it is released, not on a server that is told to hold it.
        inspector = Inspector(limits, launcher, writer, check_start=False)
        while piece := source.read(_READ_BYTES):
            if cancelled and cancelled():
                raise UnpackCancelled(f"unpacking into {into} was cancelled after {consumed} bytes")
            inspector.feed(piece)
            consumed += len(piece)
            if progress:
                progress(consumed)
        inspection = inspector.finish()
        writer.finish()
    return inspection
