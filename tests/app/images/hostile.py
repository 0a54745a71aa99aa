"""Images that no program would make, written byte by byte."""

from __future__ import annotations

import struct
import zlib


def png(width: int, height: int, rows: bytes, *, depth: int = 8, colour: int = 2, extra: bytes = b"") -> bytes:
    """A PNG with this header, whatever its rows hold. `extra`: chunks after the header."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb() -> bytes:
    """30,000 × 30,000 pixels of nothing: 2.7 GB decoded, 110 kB here."""
    return png(30_000, 30_000, b"\0" * (30_000 // 8 + 1) * 30_000, depth=1, colour=0)


def giant_header() -> bytes:
    """The largest picture a PNG can claim to be, with hardly a row."""
    return png(2**31 - 1, 2**31 - 1, b"\0" * 100)


def giant_webp() -> bytes:
    """A WebP whose canvas is 16,384 × 16,384, and that holds next to nothing."""
    canvas = (16_384 - 1).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas + canvas
    animation = b"ANIM" + struct.pack("<IIH", 6, 0, 0)
    body = b"WEBP" + extended + animation
    return b"RIFF" + struct.pack("<I", len(body)) + body


def profile_bomb(size: int) -> bytes:
    """A PNG whose colour profile unpacks to `size` bytes."""
    profile = b"bomb\0\0" + zlib.compress(b"\0" * size, 9)
    return png(8, 8, b"\0" * 25 * 8, extra=chunk(b"iCCP", profile))


def html_polyglot(image: bytes) -> bytes:
    """An image and a page in one: whoever guesses the type from the bytes may take it for either."""
    return image + b"<html><script>alert(document.domain)</script></html>"


def comment_polyglot() -> bytes:
    """A GIF whose first bytes are also the beginning of a script."""
    script = b"*/=1;alert(1);/*"
    screen = b"GIF89a" + struct.pack("<HH", 8, 8) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    comment = b"\x21\xfe" + bytes([len(script)]) + script + b"\0"
    frame = b"\x2c" + struct.pack("<HHHH", 0, 0, 8, 8) + b"\0" + b"\x02" + b"\x07\x84\x8f\xa9\xcb\xed\x0f\x63\x2b\0"
    return screen + comment + frame + b"\x3b"
