"""PNG and APNG (W3C "PNG Specification, Third Edition", section 5)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from itertools import takewhile

from app.images.metadata.colour_profile import is_profile
from app.images.metadata.orientation import UPRIGHT, exif, exif_orientation
from app.images.metadata.pieces import MAX_STEPS, DamagedContainer, Pieces, Source

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_AROUND = 12  # length, type and CRC of a chunk
# The picture, its colours, its animation. Not tEXt, zTXt, iTXt, eXIf, tIME, sPLT (it has a name), nor private chunks.
_PICTURE = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))
_COLOURS = frozenset((b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"bKGD", b"pHYs"))
_ANIMATION = frozenset((b"acTL", b"fcTL", b"fdAT"))
_CRITICAL = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND"))
# Bytes of the content. Browsers ignore such a chunk of another length; other programs refuse the file.
_LENGTHS = {
    b"cHRM": (32,),
    b"gAMA": (4,),
    b"sBIT": (1, 2, 3, 4),
    b"sRGB": (1,),
    b"cICP": (4,),
    b"mDCV": (24,),
    b"cLLI": (8,),
    b"bKGD": (1, 2, 6),
    b"pHYs": (9,),
}
_MAX_PROFILE_BYTES = 4 * 2**20


def strip(source: Source, orientation: int, *, with_profile: bool = True) -> Pieces:
    """The file with nothing but the picture and, by default, its colours and animation. Raises DamagedContainer."""
    if not with_profile:
        return _strip(source, orientation, _PICTURE)
    damaged = any(kind in _ANIMATION and not _is_intact(source, *span) for kind, *span in _chunks(source))
    return _strip(source, orientation, _PICTURE | _COLOURS | (frozenset() if damaged else _ANIMATION))


def orientation_of(source: Source) -> int:
    """The orientation in the EXIF before the picture."""
    return exif_orientation(next(_contents(source, b"eXIf"), b""))


def profile_of(source: Source) -> bytes | None:
    """The colour profile. None without one, or if it cannot be read or has more than 4 MiB."""
    return _unpacked_profile(next(_contents(source, b"iCCP"), b""))


def _unpacked_profile(content: bytes) -> bytes | None:
    try:
        profile = zlib.decompressobj().decompress(content.partition(b"\0")[2][1:], _MAX_PROFILE_BYTES + 1)
    except zlib.error:
        return None
    return profile if len(profile) <= _MAX_PROFILE_BYTES and is_profile(profile) else None


def _contents(source: Source, wanted: bytes) -> Iterator[bytes]:
    """The contents of the intact chunks of one type before the picture. Browsers do not read those behind it."""
    for kind, start, end in takewhile(lambda chunk: chunk[0] != b"IDAT", _chunks(source)):
        if kind == wanted and _is_intact(source, start, end):
            yield source[start + 8 : end - 4]


def _chunks(source: Source) -> Iterator[tuple[bytes, int, int]]:
    """Type, beginning and end of each chunk."""
    position = len(_SIGNATURE)
    for _ in range(MAX_STEPS + 1):
        if position + _AROUND > len(source):
            return
        length, kind = struct.unpack(">I4s", source[position : position + 8])
        end = position + _AROUND + length
        if end > len(source):
            return
        yield kind, position, end
        if kind == b"IEND":
            return
        position = end


def _is_intact(source: Source, start: int, end: int) -> bool:
    """Whether a chunk has the right CRC. Browsers ignore chunks beside the picture that do not."""
    return zlib.crc32(source[start + 4 : end - 4]) == int.from_bytes(source[end - 4 : end], "big")


def _is_useful(source: Source, kind: bytes, start: int, end: int) -> bool:
    """Whether a chunk that describes the picture can be read."""
    if not _is_intact(source, start, end):
        return False
    if kind == b"iCCP":
        return _unpacked_profile(source[start + 8 : end - 4]) is not None
    return kind not in _LENGTHS or end - start - _AROUND in _LENGTHS[kind]


def _strip(source: Source, orientation: int, kept: frozenset[bytes]) -> Pieces:
    if source[: len(_SIGNATURE)] != _SIGNATURE:
        raise DamagedContainer("does not begin as a PNG does")
    pieces = Pieces(source)
    pieces.keep(0, len(_SIGNATURE))
    begun, seen = False, set[bytes]()
    for kind, start, end in _chunks(source):
        pieces.step()
        if kind in _COLOURS and kind in seen:  # only the first one counts, and only one is read
            continue
        seen.add(kind)
        if not begun and kind in (b"IDAT", b"fcTL"):
            begun = True
            if orientation != UPRIGHT:
                pieces.add(_chunk(b"eXIf", exif(orientation)))
        if kind in _CRITICAL or (kind in kept and _is_useful(source, kind, start, end)):
            pieces.keep(start, end)
        if kind == b"IEND":
            return pieces
    if not begun:
        raise DamagedContainer("ends before its picture")
    pieces.is_cut_off = True
    pieces.add(_chunk(b"IEND", b""))  # decoders accept its absence; other programs may not
    return pieces


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
