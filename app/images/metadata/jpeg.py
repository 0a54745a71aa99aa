"""JPEG (ITU-T T.81 annex B; JFIF, Adobe and ICC segments). Of a file with several pictures (MPO), the first is kept."""

from __future__ import annotations

import re

from app.images.metadata.orientation import UPRIGHT, exif
from app.images.metadata.pieces import DamagedContainer, Pieces, Source

# Between markers are scans, where 0xFF is followed by 0 (a byte of the picture) or by a restart marker. 0xFF may be
# repeated before a marker.
_NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]", re.DOTALL)
_SOI, _EOI, _SOS, _TEM = 0xD8, 0xD9, 0xDA, 0x01
_APP0, _APP2, _APP14 = 0xE0, 0xE2, 0xEE
# Frames and tables (C8 is no frame), restart interval, number of lines, scans. Not comments (FE).
_PICTURE = {*range(0xC0, 0xD0), 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, _SOS} - {0xC8}
_JFIF, _JFIF_BYTES = b"JFIF\0", 14  # without the thumbnail after it
_ADOBE, _ADOBE_BYTES = b"Adobe", 12  # it holds how the colours are stored
_ICC = b"ICC_PROFILE\0"


def strip(source: Source, orientation: int) -> Pieces:
    """The file with nothing but the picture. Raises DamagedContainer."""
    if source[:2] != b"\xff\xd8":
        raise DamagedContainer("does not begin as a JPEG does")
    pieces = Pieces(source)
    pieces.keep(0, 2)
    position, in_scan, turned = 2, False, orientation == UPRIGHT
    while found := _NEXT_MARKER.search(source, position):
        pieces.step()
        marker = source[found.start() + 1]
        if in_scan:
            pieces.keep(position, found.start())
        if marker == _EOI:
            pieces.keep(found.start(), found.end())
            return pieces
        if marker == _SOI:  # another picture begins before this one has ended
            break
        end = found.end() if marker == _TEM else _end_of_segment(source, found.end())
        if end is None:
            break
        if not turned and marker != _APP0:
            pieces.add(_segment(0xE1, b"Exif\0\0" + exif(orientation)))
            turned = True
        _keep_segment(pieces, marker, found.start(), end)
        position, in_scan = end, marker == _SOS
    else:
        if in_scan:
            pieces.keep(position, len(source))
    pieces.add(b"\xff\xd9")  # decoders accept its absence; other programs may not
    return pieces


def _end_of_segment(source: Source, position: int) -> int | None:
    length = int.from_bytes(source[position : position + 2], "big")
    end = position + length
    return end if length >= 2 and end <= len(source) else None


def _keep_segment(pieces: Pieces, marker: int, start: int, end: int) -> None:
    if marker in _PICTURE:
        pieces.keep(start, end)
        return
    content = pieces.source[start + 4 : min(end, start + 4 + 32)]
    if marker == _APP2 and content.startswith(_ICC):
        pieces.keep(start, end)
    elif marker == _APP0 and content.startswith(_JFIF) and end - start - 4 >= _JFIF_BYTES:
        pieces.add(_segment(marker, content[: _JFIF_BYTES - 2] + b"\0\0"))
    elif marker == _APP14 and content.startswith(_ADOBE) and end - start - 4 >= _ADOBE_BYTES:
        pieces.add(_segment(marker, content[:_ADOBE_BYTES]))


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content
