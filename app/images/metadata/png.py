"""PNG and APNG (W3C "PNG Specification, Third Edition", section 5)."""

from __future__ import annotations

import struct
import zlib

from app.images.metadata.orientation import UPRIGHT, exif
from app.images.metadata.pieces import DamagedContainer, Pieces, Source

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_AROUND = 12  # length, type and CRC of a chunk
# The picture, its colours, its animation. Not tEXt, zTXt, iTXt, eXIf, tIME, sPLT (it has a name), nor private chunks.
_KEPT = {
    *(b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"),
    *(b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"bKGD", b"pHYs"),
    *(b"acTL", b"fcTL", b"fdAT"),
}


def strip(source: Source, orientation: int) -> Pieces:
    """The file with nothing but the picture. Raises DamagedContainer."""
    if source[: len(_SIGNATURE)] != _SIGNATURE:
        raise DamagedContainer("does not begin as a PNG does")
    pieces = Pieces(source)
    pieces.keep(0, len(_SIGNATURE))
    position, begun = len(_SIGNATURE), False
    while position + _AROUND <= len(source):
        pieces.step()
        length, kind = struct.unpack(">I4s", source[position : position + 8])
        end = position + _AROUND + length
        if end > len(source):
            break
        if not begun and kind in (b"IDAT", b"fcTL"):
            begun = True
            if orientation != UPRIGHT:
                pieces.add(_chunk(b"eXIf", exif(orientation)))
        if kind in _KEPT:
            pieces.keep(position, end)
        if kind == b"IEND":
            return pieces
        position = end
    if not begun:
        raise DamagedContainer("ends before its picture")
    pieces.add(_chunk(b"IEND", b""))  # decoders accept its absence; other programs may not
    return pieces


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
