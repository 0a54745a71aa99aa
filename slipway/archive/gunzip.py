"""Streaming gunzip of exactly one gzip member, in constant memory.

bsdtar pads what it writes to a pipe with zeros to whole records of 10 KiB, after the gzip trailer. gzip ignores zeros
there, and so do we, up to one record. Other data would be hidden from people who list the archive.
"""

from collections.abc import Callable

from isal import isal_zlib

from slipway.archive.archive_rejected import REPACKAGE, ArchiveRejected
from slipway.archive.file_formats import GZIP_MAGIC, SNIFF_BYTES, detect_format

# The input is cut at fixed offsets, not at the network's packet boundaries. The result then depends on the bytes alone,
# and each bounded call copies at most one window of unread input, so the total copying is linear.
WINDOW_BYTES = 128 * 2**10
# The maximum output of one call (a single unbounded call on compressed zeros of 1 MiB returned 1 GiB). Measured: 256
# KiB is faster than 1 MiB, because the buffer grows by copying and stays in the processor's cache.
CHUNK_BYTES = 256 * 2**10
_FLAGS_AT, _RESERVED_FLAGS = 3, 0xE0  # RFC 1952: reserved bits must be zero, "must give an error" otherwise
MAX_PADDING_BYTES = 10 * 2**10
GZIP_HEAD_BYTES = 10
_GZIP_WBITS = 31  # zlib's code for "gzip header and trailer, with CRC and length verified"


class Gunzip:
    """A push decompressor: feed() compressed bytes; `on_chunk` receives unpacked chunks of at most CHUNK_BYTES."""

    def __init__(self, on_chunk: Callable[[bytes], None]) -> None:
        self._on_chunk = on_chunk
        self._decompressor = isal_zlib.decompressobj(wbits=_GZIP_WBITS)
        self._buffer = bytearray()  # less than one window
        self._format_checked = False
        self._padding_bytes = 0  # zeros after the trailer
        self.head = b""
        """The gzip header without its optional fields, once it has arrived."""
        self.compressed_bytes = 0
        """Input bytes that the decompressor has consumed."""

    def feed(self, piece: bytes | memoryview) -> None:
        """Process the next piece of input, of any length. Raises ArchiveRejected."""
        rest = memoryview(piece)
        if not self._format_checked:
            rest = self._buffer_input(rest, SNIFF_BYTES)
            if len(self._buffer) < SNIFF_BYTES:
                return
            self._check_format()
        if self._buffer:
            rest = self._buffer_input(rest, WINDOW_BYTES)
            if len(self._buffer) < WINDOW_BYTES:
                return
            self._flush_buffer()
        while len(rest) >= WINDOW_BYTES:
            self._decompress(rest[:WINDOW_BYTES])
            rest = rest[WINDOW_BYTES:]
        self._buffer_input(rest, WINDOW_BYTES)

    def finish(self) -> None:
        """Process the end of the input. Raises ArchiveRejected if the gzip stream is incomplete."""
        if not self._format_checked:
            self._check_format()
        self._flush_buffer()
        if not self._decompressor.eof:
            raise ArchiveRejected(
                f"The file ends in the middle of its gzip stream, after {self.compressed_bytes} bytes",
                "Check it with gzip -t game.tar.gz, and send the complete file again",
            )

    def _buffer_input(self, rest: memoryview, up_to: int) -> memoryview:
        take = min(up_to - len(self._buffer), len(rest))
        self._buffer += rest[:take]
        return rest[take:]

    def _flush_buffer(self) -> None:
        window, self._buffer = bytes(self._buffer), bytearray()
        if window:
            self._decompress(window)

    def _check_format(self) -> None:
        head = bytes(self._buffer)
        self._format_checked = True
        if head.startswith(GZIP_MAGIC):
            _check_flags(head)
            self.head = head[:GZIP_HEAD_BYTES]
            return
        if not head:
            raise ArchiveRejected("The file is empty", f"Send the game as a tar.gz. {REPACKAGE}")
        named = detect_format(head)
        if named:
            raise ArchiveRejected(f"The file is {named.name}, not a tar.gz", named.remedy)
        raise ArchiveRejected(f"The file is not a tar.gz: it begins with {head[:4].hex(' ')}", REPACKAGE)

    def _decompress(self, window: bytes | memoryview) -> None:
        tail: bytes | memoryview = window
        decompressor = self._decompressor
        before = self.compressed_bytes
        while not decompressor.eof:
            try:
                chunk = decompressor.decompress(tail, CHUNK_BYTES)
            except isal_zlib.IsalError as error:  # type: ignore[misc]  # isal's stub declares the class as an instance
                raise self._damaged(str(error)) from None
            tail = decompressor.unused_data if decompressor.eof else decompressor.unconsumed_tail
            self.compressed_bytes = before + len(window) - len(tail)
            if chunk:
                self._on_chunk(chunk)
            elif tail and not decompressor.eof:
                raise self._damaged("it cannot be read further")
            # After a full chunk there may be more output, even when all input is consumed.
            if not tail and len(chunk) < CHUNK_BYTES:
                break
        if tail:
            self._check_padding(bytes(tail))

    def _check_padding(self, tail: bytes) -> None:
        if tail.strip(b"\0"):
            raise self._trailing_data(b"\0" if self._padding_bytes else tail[: len(GZIP_MAGIC)])
        self._padding_bytes += len(tail)
        if self._padding_bytes > MAX_PADDING_BYTES:
            raise ArchiveRejected(
                f"More than {MAX_PADDING_BYTES} bytes of padding follow the end of the gzip stream at byte "
                f"{self.compressed_bytes}",
                f"Cut the file there: head -c {self.compressed_bytes} game.tar.gz > cut.tar.gz",
            )

    def _damaged(self, why: str) -> ArchiveRejected:
        return ArchiveRejected(
            f"The gzip stream is damaged near byte {self.compressed_bytes} ({why})",
            "Check it with gzip -t game.tar.gz, and send the file again",
        )

    def _trailing_data(self, head: bytes) -> ArchiveRejected:
        if GZIP_MAGIC.startswith(head):
            return ArchiveRejected(
                f"The file contains more than one gzip member: the second begins at byte {self.compressed_bytes}",
                "Combine them into one: gunzip -c game.tar.gz | gzip > one.tar.gz",
            )
        return ArchiveRejected(
            f"Data follows the end of the gzip stream at byte {self.compressed_bytes}",
            f"Send the archive without anything appended. {REPACKAGE}",
        )


def _check_flags(head: bytes) -> None:
    """Reject reserved flags: without their meaning, nothing after the header can be interpreted. isal ignores them,
    gzip and zlib do not."""
    reserved = head[_FLAGS_AT] & _RESERVED_FLAGS if len(head) > _FLAGS_AT else 0
    if reserved:
        raise ArchiveRejected(
            f"The gzip header has reserved flags set (0x{reserved:02x}), which no version of gzip does", REPACKAGE
        )
