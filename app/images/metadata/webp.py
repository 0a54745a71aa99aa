"""WebP (RFC 9649): chunks of a RIFF file, and those of each frame of an animation."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from app.images.metadata.orientation import UPRIGHT, exif
from app.images.metadata.pieces import DamagedContainer, Pieces, Source

_HEAD = 12
_EXTENDED, _FRAME = b"VP8X", b"ANMF"
_PICTURE = {b"VP8 ", b"VP8L", b"ALPH"}
_KEPT = {*_PICTURE, b"ANIM", b"ICCP"}
_FRAME_HEAD = 16
_HAS_EXIF, _HAS_XMP = 0x08, 0x04


def strip(source: Source, orientation: int) -> Pieces:
    """The file with nothing but the picture. Raises DamagedContainer."""
    if len(source) < _HEAD or source[:4] != b"RIFF" or source[8:12] != b"WEBP":
        raise DamagedContainer("does not begin as a WebP does")
    # Only an extended file can hold EXIF; a simple one has no orientation.
    turned = orientation != UPRIGHT and source[12:16] == _EXTENDED
    body = Pieces(source)
    end = min(8 + int.from_bytes(source[4:8], "little"), len(source))
    for kind, start, after in _chunks(body, _HEAD, end):
        if kind == _EXTENDED:
            _keep_extended(body, start, after, turned=turned)
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


def _chunks(pieces: Pieces, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, beginning and end (without padding) of each chunk up to `end`."""
    source = pieces.source
    while position + 8 <= end:
        pieces.step()
        kind, size = struct.unpack("<4sI", source[position : position + 8])
        after = position + 8 + size
        if after > end:
            raise DamagedContainer("ends in the middle of a chunk")
        yield kind, position, after
        position = after + size % 2


def _keep_chunk(pieces: Pieces, start: int, after: int) -> None:
    pieces.keep(start, after)
    _pad(pieces, after - start)


def _pad(pieces: Pieces, size: int) -> None:
    if size % 2:
        pieces.add(b"\0")


def _keep_extended(pieces: Pieces, start: int, after: int, *, turned: bool) -> None:
    if after - start < 8 + 10:
        raise DamagedContainer("has a header that is too short")
    flags = pieces.source[start + 8]
    wanted = flags & ~(_HAS_EXIF | _HAS_XMP) | (_HAS_EXIF if turned else 0)
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
