"""One zstd frame at a time, whose unpacked size is known before anything is unpacked."""

from __future__ import annotations

import io
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

import zstandard

_MIN_LOG, _MAX_LOG = 10, 27
_PIECE_BYTES = 128 * 2**10

Check = Callable[[], None]


class Effort(IntEnum):
    """A zstd level: what is stored for good is worth more time than what is only tried."""

    QUICK = 9
    GOOD = 15
    LARGE = 16  # with small tables, as small as BEST
    BEST = 19


class BadFrame(Exception):
    """Not the frame of so many bytes that was expected."""


class Tables(NamedTuple):
    """The largest tables in which zstd finds repetitions: 4 bytes times 2 to the power of each number, and as much
    again for a prefix."""

    hash_log: int
    chain_log: int


def compress(
    content: bytes,
    prefix: bytes = b"",
    effort: Effort = Effort.BEST,
    tables: Tables | None = None,
    check: Check | None = None,
) -> bytes:
    """One frame with its size in its header. `prefix` is what the reader must have too: bytes that are like these.

    `check` is called again and again meanwhile, and may raise. Without `tables` memory grows with the content, up to
    200 MiB.
    """
    parameters = _parameters(len(content), len(prefix), effort, tables)
    compressor = zstandard.ZstdCompressor(compression_params=parameters, dict_data=_dictionary(prefix))
    if check is None:
        return compressor.compress(content)
    stream = compressor.compressobj(size=len(content))
    frame = io.BytesIO()  # its value is no copy
    view = memoryview(content)
    for start in range(0, len(view), _PIECE_BYTES):
        check()
        frame.write(stream.compress(view[start : start + _PIECE_BYTES]))
    frame.write(stream.flush())
    return frame.getvalue()


def _parameters(size: int, prefix: int, effort: Effort, tables: Tables | None) -> zstandard.ZstdCompressionParameters:
    log = min(max((size + prefix).bit_length(), _MIN_LOG), _MAX_LOG)
    sizes = {"source_size": size, "dict_size": prefix, "window_log": log, "write_content_size": 1}
    if prefix and effort is Effort.QUICK:
        # At low levels the usual tables are made for the content's size and would drop most of a longer prefix.
        table_log = max(min(log, 24), 17)
        sizes |= {"hash_log": table_log, "chain_log": table_log}
    usual = zstandard.ZstdCompressionParameters.from_level(effort, **sizes)
    if tables is None:
        return usual
    sizes["hash_log"] = min(usual.hash_log, tables.hash_log)
    sizes["chain_log"] = min(usual.chain_log, tables.chain_log)
    return zstandard.ZstdCompressionParameters.from_level(effort, **sizes)


def decompress(frame: bytes | memoryview, size: int, prefix: bytes = b"") -> bytes:
    """The `size` bytes of one frame; nothing larger is ever allocated. Raises BadFrame."""
    try:
        if zstandard.frame_content_size(frame) != size:
            raise BadFrame(f"a frame of {zstandard.frame_content_size(frame)} bytes where {size} were expected")
        unpacked = zstandard.ZstdDecompressor(dict_data=_dictionary(prefix)).decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise BadFrame(str(error)) from None
    if len(unpacked) != size:
        raise BadFrame(f"a frame that unpacked to {len(unpacked)} bytes where {size} were expected")
    return unpacked


def _dictionary(prefix: bytes) -> zstandard.ZstdCompressionDict | None:
    return zstandard.ZstdCompressionDict(prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT) if prefix else None
