"""Unpacking an archive into a fresh directory, with the same parser and rules as inspecting it."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.inspection import Inspection, Inspector
from slipway.archive.member_writing import TreeWriter

_READ_BYTES = 256 * 2**10


class UnpackCancelled(Exception):
    """`cancelled` said yes. The directory holds a part of the archive."""


def unpack(
    source: BinaryIO,
    into: Path,
    limits: ArchiveLimits,
    launcher: str | None,
    progress: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Inspection:
    """Unpack the tar.gz in `source` into `into`, an existing empty directory.

    `progress` gets the compressed bytes consumed so far; `cancelled` is asked between pieces.

    Directories become 0755, files 0755 or 0644 by their x bit, whatever the umask; modification times of files are
    kept; owners, other modes and extended attributes are not. Nothing is synced to disk.

    Raises ArchiveRejected, UnpackCancelled, FileExistsError when `into` is not empty, and OSError as the file system
    does (disk full). After any of them `into` holds a part of the archive, and is the caller's to discard.
    """
    consumed = 0
    with TreeWriter(into) as writer:
        inspector = Inspector(limits, launcher, writer)
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
