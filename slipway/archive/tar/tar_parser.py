"""A push parser for tar. Contents are passed on or skipped without copying."""

from collections.abc import Callable

from slipway.archive.archive_rejected import REPACKAGE, ArchiveRejected, display_name
from slipway.archive.file_formats import detect_format
from slipway.archive.tar.extended_headers import EXTENDED_HEADER_TYPES, ExtendedHeaders
from slipway.archive.tar.sparse_content import SparseContent
from slipway.archive.tar.tar_header import BLOCK_BYTES, ZERO_BLOCK, DamagedHeader, Header, parse_header

# The gzip stream is complete, so the tar was cut before it was compressed, and sending the same file again would not
# help. `tar tzf` notices a cut inside a member's content, but not one between members or in a header.
_STOPPED = f"The program that made it may have been stopped. {REPACKAGE}"
_TRUNCATED = f"{REPACKAGE}. Until then tar tzf game.tar.gz fails"


class TarParser:
    """Parses one tar from chunks of any length.

    `on_member` receives each member's header, with its extended headers applied; it rejects a member by raising.
    `on_content` receives its content in order, and `on_hole` the length of each hole of a sparse file. `content_bytes`
    counts file contents with their holes, `hole_bytes` the holes alone.
    """

    def __init__(
        self,
        on_member: Callable[[Header], None],
        on_content: Callable[[memoryview], None] | None = None,
        on_hole: Callable[[int], None] | None = None,
    ) -> None:
        self._on_member = on_member
        self._on_content = on_content
        self._on_hole = on_hole
        self._extended_headers = ExtendedHeaders()
        self._state: Callable[[bytes, int], int] = self._read_header
        self._buffer = bytearray()  # an incomplete header block or extended header
        self._header: Header | None = None  # the last one read
        self._remaining = 0  # bytes of content or padding still to come
        self._zero_blocks = 0
        self._sparse: SparseContent | None = None  # of the current member
        self.content_bytes = 0
        self.hole_bytes = 0

    def feed(self, chunk: bytes) -> None:
        """Parse the next chunk. Raises ArchiveRejected."""
        position = 0
        while position < len(chunk):
            position = self._state(chunk, position)

    def finish(self) -> None:
        """Process the end of the input. Raises ArchiveRejected if the tar is incomplete."""
        if self._state == self._read_trailer:
            return
        if self._state == self._read_header and not self._buffer and not self._extended_headers.pending:
            raise ArchiveRejected(
                f"The tar has no end-of-archive marker (two blocks of zeros){self._after_last_member()}", _STOPPED
            )
        if not self._header:
            raise ArchiveRejected("The gzip stream does not contain a tar", REPACKAGE)
        shown = display_name(self._header.name)
        inside = self._state in (self._read_content, self._read_sparse_map)
        where = f"inside {shown}" if inside else f"in a header{self._after_last_member()}"
        raise ArchiveRejected(f"The tar ends {where}", _TRUNCATED if inside else _STOPPED, shown)

    def _read_header(self, chunk: bytes, position: int) -> int:
        block, end = self._next_block(chunk, position)
        if block == ZERO_BLOCK:
            self._read_zero_block()
        elif block:
            self._read_header_block(block)
        return end

    def _next_block(self, chunk: bytes, position: int) -> tuple[bytes | None, int]:
        """The block that ends in this chunk, or None, and the position after it."""
        end = position + BLOCK_BYTES - len(self._buffer)
        block = chunk[position:end]
        if self._buffer or len(block) < BLOCK_BYTES:
            self._buffer += block
            if len(self._buffer) < BLOCK_BYTES:
                return None, len(chunk)
            block, self._buffer = bytes(self._buffer), bytearray()
        return block, end

    def _read_zero_block(self) -> None:
        if self._extended_headers.pending:
            problem = f"The tar ends between an extended header and its member{self._after_last_member()}"
            raise ArchiveRejected(problem, _STOPPED)
        self._zero_blocks += 1
        if self._zero_blocks == 2:
            self._state = self._read_trailer

    def _read_header_block(self, block: bytes) -> None:
        if self._zero_blocks:
            raise self._data_after_end()
        try:
            header = parse_header(block)
        except DamagedHeader as damage:
            raise self._not_a_header(block, damage) from None
        if header.typeflag in EXTENDED_HEADER_TYPES:
            self._extended_headers.begin(header)
            self._state = self._read_extended_header
        else:
            header = self._extended_headers.apply(header)
            self._on_member(header)
            self._state = self._read_content
        self._header, self._remaining = header, header.size
        if header.real_size is not None:
            self._sparse = SparseContent(header, self._pass_content, self._pass_hole)
            if self._sparse.read_header(block):
                self._state = self._read_sparse_map
                return
        if not header.size:
            self._finish_content(header)

    def _read_sparse_map(self, chunk: bytes, position: int) -> int:
        """Blocks between an old GNU header and its content, which the header's size does not count."""
        block, end = self._next_block(chunk, position)
        if block and self._sparse and self._header and not self._sparse.read_map_block(block):
            self._state = self._read_content
            if not self._header.size:
                self._finish_content(self._header)
        return end

    def _read_content(self, chunk: bytes, position: int) -> int:
        take = min(self._remaining, len(chunk) - position)
        if self._sparse:
            self._sparse.feed(memoryview(chunk)[position : position + take])
        else:
            if self._on_content:
                self._on_content(memoryview(chunk)[position : position + take])
            self.content_bytes += take
        return self._advance(position, take)

    def _pass_content(self, data: memoryview) -> None:
        if self._on_content:
            self._on_content(data)
        self.content_bytes += len(data)

    def _pass_hole(self, size: int) -> None:
        if self._on_hole:
            self._on_hole(size)
        self.content_bytes += size
        self.hole_bytes += size

    def _read_extended_header(self, chunk: bytes, position: int) -> int:
        take = min(self._remaining, len(chunk) - position)
        self._buffer += chunk[position : position + take]
        return self._advance(position, take)

    def _advance(self, position: int, take: int) -> int:
        self._remaining -= take
        if not self._remaining and self._header:
            self._finish_content(self._header)
        return position + take

    def _finish_content(self, header: Header) -> None:
        if self._state == self._read_extended_header:
            content, self._buffer = bytes(self._buffer), bytearray()
            self._extended_headers.read_content(header, content)
        elif self._sparse:
            self._sparse.finish()
            self._sparse = None
        self._remaining = -header.size % BLOCK_BYTES
        self._state = self._skip_padding if self._remaining else self._read_header

    def _skip_padding(self, chunk: bytes, position: int) -> int:
        take = min(self._remaining, len(chunk) - position)
        self._remaining -= take
        if not self._remaining:
            self._state = self._read_header
        return position + take

    def _read_trailer(self, chunk: bytes, position: int) -> int:
        # tar fills its last record with zeros. Other data would be hidden from people who list the archive.
        if chunk[position:].strip(b"\0"):
            raise self._data_after_end()
        return len(chunk)

    def _data_after_end(self) -> ArchiveRejected:
        return ArchiveRejected(
            f"Data follows the end of the tar{self._after_last_member()}",
            f"Do not join archives or append to them. {REPACKAGE}",
        )

    def _not_a_header(self, block: bytes, damage: DamagedHeader) -> ArchiveRejected:
        named = None if self._header else detect_format(block)
        if named:
            return ArchiveRejected(f"The gzip stream contains {named.name}, not a tar", named.remedy)
        if not self._header:
            return ArchiveRejected("The gzip stream does not contain a tar", REPACKAGE)
        return ArchiveRejected(f"The tar header{self._after_last_member()} is damaged: {damage}", REPACKAGE)

    def _after_last_member(self) -> str:
        return f" after {display_name(self._header.name)}" if self._header else ""
