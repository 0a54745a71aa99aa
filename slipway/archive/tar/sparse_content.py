"""Turns the stored content of a sparse member into the content and the holes of its file."""

from collections.abc import Callable

from slipway.archive.tar.sparse_map import OldGnuMapReader, PaxMapReader, SparseMap
from slipway.archive.tar.tar_header import BLOCK_BYTES, OLD_GNU_SPARSE, Header


class SparseContent:
    """Receives what the archive stores of one member: first the blocks of its map, then the bytes of its extents.

    `on_content` receives the extents' bytes and `on_hole` the length of each hole, in the order of the file. Every
    method raises ArchiveRejected.
    """

    def __init__(
        self, header: Header, on_content: Callable[[memoryview], None], on_hole: Callable[[int], None]
    ) -> None:
        self._header = header
        self._on_content = on_content
        self._on_hole = on_hole
        self._map = SparseMap(header)
        self._pax_map = None if header.typeflag == OLD_GNU_SPARSE else PaxMapReader(self._map)
        self._gnu_map = OldGnuMapReader(self._map)
        self._map_buffer = bytearray()  # an incomplete block of a PAX map
        self._map_bytes = 0
        self._extent = 0  # the extent that content belongs to
        self._left = 0  # its bytes that have not arrived
        self._position = 0  # in the file

    def read_header(self, block: bytes) -> bool:
        """Read the member's own header block. Returns whether blocks with more of an old GNU map follow it."""
        return not self._pax_map and not self._finish_map_if(complete=self._gnu_map.read_header(block))

    def read_map_block(self, block: bytes) -> bool:
        """Read a block of an old GNU map. Returns whether more of them follow."""
        return not self._finish_map_if(complete=self._gnu_map.read(block))

    def feed(self, data: memoryview) -> None:
        """The next bytes of the member's content, of any length."""
        while self._pax_map and data:
            take = min(BLOCK_BYTES - len(self._map_buffer), len(data))
            self._map_buffer += data[:take]
            data = data[take:]
            if len(self._map_buffer) == BLOCK_BYTES:
                block, self._map_buffer = bytes(self._map_buffer), bytearray()
                self._map_bytes += BLOCK_BYTES
                if self._finish_map_if(complete=self._pax_map.read(block)):
                    self._pax_map = None
        while data:
            take = min(self._left, len(data))
            self._on_content(data[:take])
            self._position += take
            self._left -= take
            data = data[take:]
            if not self._left:
                self._extent += 1
                self._begin_extent()

    def finish(self) -> None:
        """The member has ended."""
        if self._pax_map:
            raise self._map.rejected("ends inside its map")
        self._skip_to(self._header.file_size)

    def _finish_map_if(self, *, complete: bool) -> bool:
        if complete:
            self._map.finish(self._header.size - self._map_bytes)
            self._begin_extent()
        return complete

    def _begin_extent(self) -> None:
        """Go to the next extent that has bytes."""
        offsets, lengths = self._map.offsets, self._map.lengths
        while self._extent < len(offsets) and not lengths[self._extent]:
            self._extent += 1
        if self._extent < len(offsets):
            self._skip_to(offsets[self._extent])
            self._left = lengths[self._extent]

    def _skip_to(self, position: int) -> None:
        if position > self._position:
            self._on_hole(position - self._position)
            self._position = position
