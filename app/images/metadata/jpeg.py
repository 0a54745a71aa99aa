"""JPEG (ITU-T T.81 annex B; JFIF, Adobe and ICC segments). Of a file with several pictures (MPO), the first is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.images.metadata.colour_profile import is_profile
from app.images.metadata.orientation import UPRIGHT, exif, exif_orientation
from app.images.metadata.pieces import MAX_STEPS, DamagedContainer, Pieces, Source

# Between markers are scans, where 0xFF is followed by 0 (a byte of the picture) or by a restart marker. 0xFF may be
# repeated before a marker.
_NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]", re.DOTALL)
_SOI, _EOI, _SOS, _TEM = 0xD8, 0xD9, 0xDA, 0x01
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
# Frames and tables (C8 is no frame), restart interval, number of lines, scans. Not comments (FE).
_PICTURE = {*range(0xC0, 0xD0), 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, _SOS} - {0xC8}
_JFIF, _JFIF_BYTES = b"JFIF\0", 14  # without the thumbnail after it
_ADOBE, _ADOBE_BYTES = b"Adobe", 12  # it holds how the colours are stored
_ICC, _ICC_HEAD_BYTES = b"ICC_PROFILE\0", 14  # then its number and the number of segments
_EXIF = b"Exif\0"


def strip(source: Source, orientation: int, *, with_profile: bool = True) -> Pieces:
    """The file with nothing but the picture and, by default, its colour profile. Raises DamagedContainer."""
    if source[:2] != b"\xff\xd8":
        raise DamagedContainer("does not begin as a JPEG does")
    with_profile = with_profile and profile_of(source) is not None
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
            pieces.add(_segment(_APP1, b"Exif\0\0" + exif(orientation)))
            turned = True
        if with_profile or marker != _APP2:
            _keep_segment(pieces, marker, found.start(), end)
        position, in_scan = end, marker == _SOS
    else:
        if in_scan:
            pieces.keep(position, len(source))
    pieces.is_cut_off = True
    pieces.add(b"\xff\xd9")  # decoders accept its absence; other programs may not
    return pieces


def orientation_of(source: Source) -> int:
    """The orientation in the first EXIF segment."""
    found = (content for content in _segments(source, _APP1) if content.startswith(_EXIF))
    return exif_orientation(next(found, b""))


def profile_of(source: Source) -> bytes | None:
    """The colour profile, joined from its segments. None without one, or if it cannot be read."""
    found = [content for content in _segments(source, _APP2) if content.startswith(_ICC)]
    parts = {content[12]: content[_ICC_HEAD_BYTES:] for content in found if len(content) >= _ICC_HEAD_BYTES}
    if not parts or sorted(parts) != list(range(1, len(parts) + 1)):
        return None
    profile = b"".join(parts[number] for number in sorted(parts))
    return profile if is_profile(profile) else None


def _segments(source: Source, wanted: int) -> Iterator[bytes]:
    """The contents of the segments with this marker, up to the first scan."""
    position = 2
    for _ in range(MAX_STEPS):
        found = _NEXT_MARKER.search(source, position)
        if not found:
            return
        marker = source[found.start() + 1]
        end = found.end() if marker == _TEM else _end_of_segment(source, found.end())
        if end is None or marker in (_SOS, _EOI, _SOI):
            return
        if marker == wanted:
            yield source[found.end() + 2 : end]
        position = end


def _end_of_segment(source: Source, position: int) -> int | None:
    length = int.from_bytes(source[position : position + 2], "big")
    end = position + length
    return end if length >= 2 and end <= len(source) else None


def _keep_segment(pieces: Pieces, marker: int, start: int, end: int) -> None:
    if marker in _PICTURE:
        pieces.keep(start, end)
        return
    content = pieces.source[start + 4 : min(end, start + 4 + 32)]
    if marker == _APP2 and content.startswith(_ICC) and end - start - 4 >= _ICC_HEAD_BYTES:
        pieces.keep(start, end)
    elif marker == _APP0 and content.startswith(_JFIF) and end - start - 4 >= _JFIF_BYTES:
        pieces.add(_segment(marker, content[: _JFIF_BYTES - 2] + b"\0\0"))
    elif marker == _APP14 and content.startswith(_ADOBE) and end - start - 4 >= _ADOBE_BYTES:
        pieces.add(_segment(marker, content[:_ADOBE_BYTES]))


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content
