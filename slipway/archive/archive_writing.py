"""Writing a tar.gz so that the same files give the same bytes, for any user, at any time."""

from __future__ import annotations

import tarfile
from typing import Any, Protocol

from isal import igzip

from slipway.archive.archive_member import Kind, Member
from slipway.archive.tar.tar_header import BLOCK_BYTES

# 1980-01-01, the earliest date that zip tools and FAT support.
MTIME = 315532800
# The compressed bytes may change with isal's version and the processor; the tar inside does not.
COMPRESSION_LEVEL = 2
# The compressor's output may depend on how its input is divided, so it always gets blocks of this size.
WRITE_BYTES = 1 << 20

_TYPES = {Kind.DIRECTORY: tarfile.DIRTYPE, Kind.SYMLINK: tarfile.SYMTYPE}
_MODES = {Kind.DIRECTORY: 0o755, Kind.PROGRAM: 0o755, Kind.SYMLINK: 0o777}


class Sink(Protocol):
    """Receives the bytes of the archive in order."""

    def write(self, data: bytes, /) -> object: ...


def tar_member(member: Member) -> tarfile.TarInfo:
    """The member's header. Of a file's mode only the execute bit matters to a game; the rest depends on the umask."""
    info = tarfile.TarInfo(member.path)
    info.mtime = MTIME
    info.mode = _MODES.get(member.kind, 0o644)
    info.type = _TYPES.get(member.kind, tarfile.REGTYPE)
    info.linkname = member.target or ""
    if member.hard_link:
        info.type = tarfile.LNKTYPE
    else:
        info.size = member.size
    return info


class ArchiveWriter:
    """Writes one archive: for each member `begin`, then its content; at last `finish`. Memory is one block."""

    def __init__(self, sink: Sink) -> None:
        open_packed: Any = igzip.GzipFile  # has no type hints
        # No file name and no time in its header.
        self._packed = open_packed(
            filename="", mode="wb", compresslevel=COMPRESSION_LEVEL, fileobj=_Target(sink), mtime=0
        )
        self._block = bytearray()
        self._written = 0  # bytes of the tar
        self._left = 0  # bytes of the member's content still to come

    def begin(self, member: Member) -> None:
        """The next member. Raises ValueError if the content of the last one is incomplete."""
        self._end_member()
        header = tar_member(member)
        self._write(header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        self._left = header.size

    def content(self, data: bytes | memoryview) -> None:
        """The next bytes of the member's content. Raises ValueError if they are more than its size."""
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("a member has more content than its size")
        self._write(data)

    def finish(self) -> None:
        """End the tar and the gzip stream."""
        self._end_member()
        self._write(bytes(2 * BLOCK_BYTES))
        self._write(bytes(-self._written % tarfile.RECORDSIZE))
        self._packed.write(bytes(self._block))
        self._block.clear()
        self._packed.close()

    def _end_member(self) -> None:
        if self._left:
            raise ValueError("a member has less content than its size")
        self._write(bytes(-self._written % BLOCK_BYTES))

    def _write(self, data: bytes | memoryview) -> None:
        self._written += len(data)
        self._block += data
        start = 0
        while len(self._block) - start >= WRITE_BYTES:
            self._packed.write(bytes(self._block[start : start + WRITE_BYTES]))
            start += WRITE_BYTES
        if start:
            del self._block[:start]


class _Target:
    """The file that igzip writes to."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: bytes) -> int:
        self._sink.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back here."""
