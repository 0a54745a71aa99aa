"""One zstd frame at a time, whose unpacked size is known before anything is unpacked."""

from __future__ import annotations

import zstandard

_MIN_LOG, _MAX_LOG = 10, 27
# Beside a prefix that is like the content, 15 gives within 1 % of what 19 gives, in half the time; beside one that is
# not, 9 does. All of them are far slower than what they are worth for content that nothing shortens.
_BEST, _GOOD, _FAST = 19, 15, 9
_BEST_BYTES = 2 * 2**20


class BadFrame(Exception):
    """Not the frame of so many bytes that was expected."""


def compress(content: bytes, prefix: bytes = b"", *, thorough: bool = True) -> bytes:
    """One frame with its size in its header. `prefix` is what the reader must have too: bytes that are like these."""
    thorough_level = _BEST if len(content) <= _BEST_BYTES else _GOOD
    total = len(content) + len(prefix)
    log = min(max(total.bit_length(), _MIN_LOG), _MAX_LOG)
    level = thorough_level if thorough else _FAST
    # The usual hash tables are made for the content's size and would drop most of a longer prefix.
    tables = {"hash_log": max(min(log, 24), 17), "chain_log": max(min(log, 24), 17)} if prefix else {}
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, source_size=len(content), dict_size=len(prefix), window_log=log, write_content_size=1, **tables
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
