"""One zstd frame at a time, whose unpacked size is known before anything is unpacked."""

from __future__ import annotations

from enum import IntEnum

import zstandard

_MIN_LOG, _MAX_LOG = 10, 27


class Effort(IntEnum):
    """A zstd level: what is stored for good is worth more time than what is only tried."""

    QUICK = 9
    GOOD = 15
    BEST = 19


class BadFrame(Exception):
    """Not the frame of so many bytes that was expected."""


def compress(content: bytes, prefix: bytes = b"", effort: Effort = Effort.BEST) -> bytes:
    """One frame with its size in its header. `prefix` is what the reader must have too: bytes that are like these."""
    total = len(content) + len(prefix)
    log = min(max(total.bit_length(), _MIN_LOG), _MAX_LOG)
    # At low levels the usual tables are made for the content's size and would drop most of a longer prefix.
    table_log = max(min(log, 24), 17)
    tables = {"hash_log": table_log, "chain_log": table_log} if prefix and effort is Effort.QUICK else {}
    parameters = zstandard.ZstdCompressionParameters.from_level(
        effort, source_size=len(content), dict_size=len(prefix), window_log=log, write_content_size=1, **tables
    )
    return zstandard.ZstdCompressor(compression_params=parameters, dict_data=_dictionary(prefix)).compress(content)


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
