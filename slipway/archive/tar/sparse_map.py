"""The map of a sparse member: which parts of the file the archive stores. The other parts are holes and read as zeros.

Two forms are read: PAX 1.0, as bsdtar and `tar --posix --sparse` write it, and that of GNU tar's own format (GNU tar
manual, "Storing Sparse Files").
"""

import re
from array import array

from slipway.archive.archive_rejected import ArchiveRejected, display_name
from slipway.archive.packaging_tools import without_sparse
from slipway.archive.tar.tar_header import BLOCK_BYTES, Header, parse_number

MAX_EXTENTS = 2**16
_MAX_DIGITS = 20
_NUMBER = re.compile(rb"[0-9]{1,20}")
_OLD_GNU_EXTENTS = slice(386, 482)  # in the member's header
_OLD_GNU_CONTINUES = 482
_BLOCK_EXTENTS = slice(0, 504)  # in each block after it
_BLOCK_CONTINUES = 504
_FIELD = 12  # bytes of an offset or length


class SparseMap:
    """The stored extents of one member, in order. Every method raises ArchiveRejected for a map that contradicts
    itself, or that programs read in different ways."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._real_size = header.file_size
        self._position = 0  # the end of the last extent
        self._stored = 0
        self._unaligned = False
        self.offsets = array("Q")
        self.lengths = array("Q")

    def add(self, offset: int, length: int) -> None:
        """The next extent."""
        if len(self.offsets) == MAX_EXTENTS:
            raise self.rejected(f"has a map of more than {MAX_EXTENTS} parts")
        if offset < self._position:
            raise self.rejected("has a map whose parts overlap or are not in order")
        if offset + length > self._real_size:
            raise self.rejected(f"has a map that goes beyond its {self._real_size} bytes")
        # GNU tar pads each part to whole blocks and bsdtar only the last one. They agree if all others are whole.
        if self._unaligned and length:
            raise self.rejected(f"has a map with a part that is not made of whole blocks of {BLOCK_BYTES} bytes")
        self._unaligned = self._unaligned or length % BLOCK_BYTES > 0
        self._position = offset + length
        self._stored += length
        self.offsets.append(offset)
        self.lengths.append(length)

    def finish(self, stored: int) -> None:
        """The map is complete, and `stored` bytes of content follow it."""
        if self._stored != stored:
            raise self.rejected(f"stores {stored} bytes, but its map describes {self._stored}")

    def rejected(self, problem: str) -> ArchiveRejected:
        """The rejection of this map."""
        shown = display_name(self._header.name)
        return ArchiveRejected(
            f"{shown} is stored as a sparse file and {problem}", without_sparse(self._header.style), shown
        )


class PaxMapReader:
    """Reads the map at the beginning of a PAX 1.0 member's content: decimal lines, padded to whole blocks. The first
    line is the number of extents, then come the offset and the length of each."""

    def __init__(self, sparse_map: SparseMap) -> None:
        self._map = sparse_map
        self._line = b""  # an incomplete one
        self._count: int | None = None
        self._offset: int | None = None

    def read(self, block: bytes) -> bool:
        """Read the next block. Returns whether the map is complete. Raises ArchiveRejected."""
        *lines, self._line = (self._line + block).split(b"\n")
        for index, line in enumerate(lines):
            self._read_line(line)
            if self._is_complete():
                if b"\n".join([*lines[index + 1 :], self._line]).strip(b"\0"):
                    raise self._map.rejected("has a map with data after its end")
                return True
        if len(self._line) > _MAX_DIGITS:
            raise self._not_a_number(self._line)
        return False

    def _is_complete(self) -> bool:
        return len(self._map.offsets) == self._count

    def _read_line(self, line: bytes) -> None:
        if not _NUMBER.fullmatch(line):
            raise self._not_a_number(line)
        number = int(line)
        if self._count is None:
            if number > MAX_EXTENTS:
                raise self._map.rejected(f"has a map of {number} parts; {MAX_EXTENTS} are allowed")
            self._count = number
        elif self._offset is None:
            self._offset = number
        else:
            self._map.add(self._offset, number)
            self._offset = None

    def _not_a_number(self, line: bytes) -> ArchiveRejected:
        return self._map.rejected(f"has a map in which {display_name(line[:_MAX_DIGITS])} is not a number")


class OldGnuMapReader:
    """Reads the map of GNU tar's own format: up to 4 extents in the member's header, up to 21 in each block after
    it."""

    def __init__(self, sparse_map: SparseMap) -> None:
        self._map = sparse_map
        self._ended = False

    def read_header(self, block: bytes) -> bool:
        """Read the member's header block. Returns whether the map is complete. Raises ArchiveRejected."""
        return self._read(block[_OLD_GNU_EXTENTS], block[_OLD_GNU_CONTINUES])

    def read(self, block: bytes) -> bool:
        """Read the next block. Returns whether the map is complete. Raises ArchiveRejected."""
        return self._read(block[_BLOCK_EXTENTS], block[_BLOCK_CONTINUES])

    def _read(self, extents: bytes, continues: int) -> bool:
        for start in range(0, len(extents), 2 * _FIELD):
            fields = extents[start : start + _FIELD], extents[start + _FIELD : start + 2 * _FIELD]
            if not fields[1][0]:  # the end of the map for GNU tar, while other programs read on
                self._ended = True
                if not fields[0][0]:
                    continue
            offset, length = map(parse_number, fields)
            if offset is None or length is None or offset < 0 or length < 0:
                raise self._map.rejected("has a map in which an offset or length is not a number")
            if self._ended:
                raise self._map.rejected("has a map with data after its end")
            self._map.add(offset, length)
        if self._ended and continues:
            raise self._map.rejected("has a map with data after its end")
        return not continues
