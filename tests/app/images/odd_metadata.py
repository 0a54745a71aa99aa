"""Images whose picture is whole and whose metadata is odd: damaged, oversized, with wrong checksums, in any place."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

from PIL import ImageCms

from tests.app.images.images import picture

SIZE = (64, 40)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
_ORIENTATION, _SHORT, _ASCII, _LONG, _RATIONAL = 0x0112, 3, 2, 4, 5


def exif_block(rng: random.Random) -> bytes:
    """EXIF as a camera writes it, with some of its bytes changed, cut off, or replaced by noise."""
    data = bytearray(_camera_exif(rng))
    kind = rng.randrange(5)
    if kind == 0:
        return rng.randbytes(rng.randrange(80))
    if kind == 1:
        return bytes(data[: rng.randrange(len(data))])
    for _ in range(rng.randrange(0, 7)):
        data[rng.randrange(len(data))] = rng.choice((0, 1, 6, 8, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return bytes(data)


def _camera_exif(rng: random.Random) -> bytes:
    order, mark = rng.choice((("<", b"II"), (">", b"MM")))
    orientation = struct.pack(f"{order}HH", rng.randrange(0, 10), 0)
    entries = [
        (0x010F, _ASCII, 6, struct.pack(f"{order}I", 120)),
        (_ORIENTATION, _SHORT, 1, orientation),
        (0x011A, _RATIONAL, 1, struct.pack(f"{order}I", 130)),
        (0x8769, _LONG, 1, struct.pack(f"{order}I", rng.choice((8, 26, 90, 2**31)))),
        (0x8825, _LONG, 1, struct.pack(f"{order}I", 90)),
    ]
    rng.shuffle(entries)
    data = mark + struct.pack(f"{order}HIH", 42, 8, len(entries))
    for tag, form, count, value in entries:
        data += struct.pack(f"{order}HHI", tag, form, count) + value
    sub_directory = struct.pack(f"{order}HHHI", 1, 0x9003, _ASCII, 20) + struct.pack(f"{order}II", 140, 0)
    return data.ljust(90, b"\0") + sub_directory.ljust(70, b"x")


def odd_png(rng: random.Random) -> bytes:
    """A PNG with odd chunks before its picture, or behind it."""
    data = picture(*SIZE, mode=rng.choice(("RGB", "P", "L")))
    before = b"".join(_odd_chunk(rng) for _ in range(rng.randrange(1, 4)))
    behind = b"".join(_odd_chunk(rng, beside_colours=False) for _ in range(rng.randrange(0, 2)))
    end = len(data) - 12
    return data[:33] + before + data[33:end] + behind + data[end:]


def _odd_chunk(rng: random.Random, *, beside_colours: bool = True) -> bytes:
    texts = (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME", b"prVt")
    kind = rng.choice((*texts, b"gAMA", b"cHRM", b"iCCP", b"sRGB", b"pHYs", b"sBIT") if beside_colours else texts)
    content = {
        b"zTXt": lambda: b"xmp\0\0" + zlib.compress(b"history " * rng.choice((10, 200_000))),
        b"iTXt": lambda: b"xmp\0\1\0\0\0" + zlib.compress(b"history " * rng.choice((10, 200_000))),
        b"tEXt": lambda: b"Author\0" + rng.randbytes(20),
        b"eXIf": lambda: exif_block(rng),
        b"iCCP": lambda: b"profile\0\0" + rng.choice((zlib.compress(_odd_profile(rng)), rng.randbytes(30))),
    }.get(kind, lambda: rng.randbytes(rng.randrange(40)))()
    crc = zlib.crc32(kind + content) ^ rng.choice((0, 0, 1))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def _odd_profile(rng: random.Random) -> bytes:
    profile = bytearray(PROFILE)
    for _ in range(rng.randrange(0, 5)):
        profile[rng.randrange(len(profile))] = rng.randrange(256)
    return bytes(profile[: rng.choice((len(profile), rng.randrange(len(profile))))]) + bytes(rng.choice((0, 2**21)))


def odd_jpeg(rng: random.Random) -> bytes:
    """A JPEG with odd segments, in the order of the dice, that may lack its end marker."""
    data = picture(*SIZE, kind="JPEG", progressive=rng.random() < 0.3)
    segments = b"".join(_odd_segment(rng) for _ in range(rng.randrange(1, 5)))
    return data[:2] + segments + (data[2:-2] if rng.random() < 0.2 else data[2:])


def _odd_segment(rng: random.Random) -> bytes:
    marker, content = rng.choice(
        [
            (0xE1, b"Exif\0" + rng.choice((b"\0", b"x")) + exif_block(rng)),
            (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + rng.randbytes(40)),
            (0xE1, rng.randbytes(20)),
            (0xE2, b"ICC_PROFILE\0" + rng.randbytes(rng.randrange(3)) + _odd_profile(rng)[:60_000]),
            (0xE2, b"ICC_PROFILE\0\1\1" + _odd_profile(rng)[:60_000]),
            (0xE2, b"MPF\0" + rng.randbytes(40)),
            (0xED, b"Photoshop 3.0\0" + rng.randbytes(30)),
            (0xE0, b"JFXX\0" + rng.randbytes(10)),
            (0xFE, rng.randbytes(30)),
        ]
    )
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def odd_webp(rng: random.Random) -> bytes:
    """An extended WebP with odd EXIF, XMP, profile and unknown chunks."""
    data = picture(*SIZE, kind="WEBP", exif=b"Exif\0\0II*\0", lossless=rng.random() < 0.5)
    start, exif = data.index(b"VP8X"), data.index(b"EXIF")
    extended, image = bytearray(data[start : start + 18]), data[start + 18 : exif]
    extended[8] = extended[8] & ~0x2C | rng.choice((0, 0x08, 0x0C, 0x04))
    profile = b""
    if rng.random() < 0.3:
        extended[8] |= 0x20
        profile = _riff_chunk(b"ICCP", _odd_profile(rng))
    kinds = rng.choices((b"EXIF", b"XMP ", b"prVt"), k=rng.randrange(1, 4))
    behind = b"".join(
        _riff_chunk(kind, rng.choice((b"", b"Exif\0\0")) + exif_block(rng) if kind == b"EXIF" else rng.randbytes(30))
        for kind in kinds
    )
    body = bytes(extended) + profile + image + behind
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _riff_chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def odd_gif(rng: random.Random) -> bytes:
    """A GIF with odd comments and application extensions before its picture."""
    data = picture(*SIZE, kind="GIF")
    start = 13 + (3 * 2 ** ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    extensions = b"".join(_odd_extension(rng) for _ in range(rng.randrange(1, 4)))
    return data[:start] + extensions + data[start:]


def _odd_extension(rng: random.Random) -> bytes:
    label, name = rng.choice(
        [(0xFE, b""), (0xFF, b"XMP DataXMP"), (0xFF, b"ICCRGBG1012"), (0xFF, b"NETSCAPE2.0"), (0x01, bytes(12))]
    )
    blocks = [name, *(rng.randbytes(rng.randrange(1, 60)) for _ in range(rng.randrange(0, 3)))]
    return bytes((0x21, label)) + b"".join(bytes((len(block),)) + block for block in blocks if block) + b"\0"


ODD: dict[str, Callable[[random.Random], bytes]] = {
    "image/png": odd_png,
    "image/jpeg": odd_jpeg,
    "image/webp": odd_webp,
    "image/gif": odd_gif,
}
