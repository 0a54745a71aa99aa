"""WebP (RFC 9649): chunks of a RIFF file, and those of each frame of an animation."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from app.images.metadata.colour_profile import is_profile
from app.images.metadata.orientation import UPRIGHT, exif, exif_orientation
from app.images.metadata.pieces import DamagedContainer, Pieces, Source

_HEAD = 12
_EXTENDED, _FRAME = b"VP8X", b"ANMF"
_PICTURE = {b"VP8 ", b"VP8L", b"ALPH"}
_PROFILE, _EXIF = b"ICCP", b"EXIF"
_KEPT = {*_PICTURE, b"ANIM", _PROFILE}
_FRAME_HEAD = 16
_HAS_PROFILE, _HAS_EXIF, _HAS_XMP = 0x20, 0x08, 0x04


def strip(source: Source, orientation: int, *, with_profile: bool = True) -> Pieces:
    """The file with nothing but the picture and, by default, its colour profile. Raises DamagedContainer."""
    if len(source) < _HEAD or source[:4] != b"RIFF" or source[8:12] != b"WEBP":
        raise DamagedContainer("does not begin as a WebP does")
    # Only an extended file can hold EXIF; a simple one has no orientation.
    turned = orientation != UPRIGHT and source[12:16] == _EXTENDED
    with_profile = with_profile and profile_of(source) is not None
    body = Pieces(source)
    kept_flags = 0xFF & ~(_HAS_EXIF | _HAS_XMP | (0 if with_profile else _HAS_PROFILE))
    for kind, start, after in _chunks(body, _HEAD, _end(source)):
        if kind == _EXTENDED:
            _keep_extended(body, start, after, kept_flags, turned=turned)
        elif kind == _PROFILE and not with_profile:
            continue
        elif kind == _FRAME:
            _keep_frame(body, start, after)
        elif kind in _KEPT:
            _keep_chunk(body, start, after)
    if turned:
        body.add(_chunk_head(b"EXIF", len(exif(orientation))) + exif(orientation))
    head = b"RIFF" + (4 + body.length).to_bytes(4, "little") + b"WEBP"
    pieces = Pieces(source)
    pieces.add(head)
    pieces.extend(body)
    return pieces


def orientation_of(source: Source) -> int:
    """The orientation in the file's EXIF."""
    return exif_orientation(_content(source, _EXIF))


def profile_of(source: Source) -> bytes | None:
    """The colour profile. None without one, or if it cannot be read."""
    profile = _content(source, _PROFILE)
    return profile if is_profile(profile) else None


def _content(source: Source, wanted: bytes) -> bytes:
    """The content of the first chunk of one type."""
    for kind, start, after in _chunks(Pieces(source), _HEAD, _end(source)):
        if kind == wanted:
            return source[start + 8 : after]
    return b""


def _end(source: Source) -> int:
    return min(8 + int.from_bytes(source[4:8], "little"), len(source))


def _chunks(pieces: Pieces, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, beginning and end (without padding) of each chunk up to `end`."""
    source = pieces.source
    while position + 8 <= end:
        pieces.step()
        kind, size = struct.unpack("<4sI", source[position : position + 8])
        after = position + 8 + size
        if after > end:
            if kind not in (*_KEPT, _EXTENDED, _FRAME):
                return  # metadata is cut off; the picture comes before it
            raise DamagedContainer("ends in the middle of a chunk")
        yield kind, position, after
        position = after + size % 2


def _keep_chunk(pieces: Pieces, start: int, after: int) -> None:
    pieces.keep(start, after)
    _pad(pieces, after - start)


def _pad(pieces: Pieces, size: int) -> None:
    if size % 2:
        pieces.add(b"\0")


def _keep_extended(pieces: Pieces, start: int, after: int, kept_flags: int, *, turned: bool) -> None:
    if after - start < 8 + 10:
        raise DamagedContainer("has a header that is too short")
    flags = pieces.source[start + 8]
    wanted = flags & kept_flags | (_HAS_EXIF if turned else 0)
    pieces.keep(start, start + 8)
    pieces.add(bytes((wanted,)))
    pieces.keep(start + 9, after)
    _pad(pieces, after - start)


def _keep_frame(pieces: Pieces, start: int, after: int) -> None:
    """A frame with nothing but its picture: a frame may hold chunks of any kind."""
    inner = Pieces(pieces.source)
    inner.keep(start + 8, start + 8 + _FRAME_HEAD)
    for kind, begin, end in _chunks(pieces, start + 8 + _FRAME_HEAD, after):
        if kind in _PICTURE:
            _keep_chunk(inner, begin, end)
    pieces.add(_chunk_head(_FRAME, inner.length))
    pieces.extend(inner)
    _pad(pieces, inner.length)


def _chunk_head(kind: bytes, size: int) -> bytes:
    return struct.pack("<4sI", kind, size)
