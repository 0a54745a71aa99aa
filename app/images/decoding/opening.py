"""Opens untrusted images: four formats, and the size is checked before a pixel is decoded."""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

# Pillow's names. A JPEG with more pictures after the first is an MPO.
MIME_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
}
_ORIENTATION = 0x0112
_SIDEWAYS = {5, 6, 7, 8}


class BadImage(Exception):
    """The bytes are not an accepted image. The text completes "The file …"."""


@dataclass(frozen=True)
class Facts:
    """The type and size of an image. Width and height after applying `orientation` (EXIF, 1 to 8, where 1 is as
    stored)."""

    mime_type: str
    width: int
    height: int
    orientation: int


def open_image(file: BinaryIO, max_pixels: int) -> Image.Image:
    """The image, not decoded yet. Raises BadImage."""
    # Our own limit applies, and its message names the size. Pillow's limit would raise before we know it.
    Image.MAX_IMAGE_PIXELS = None
    # Pillow's WebP reader allocates the whole canvas when it opens the file, so the header must be read before.
    _check_pixels(*_webp_canvas(file), max_pixels)
    try:
        image = Image.open(file, formats=("PNG", "JPEG", "WEBP", "GIF"))
    except UnidentifiedImageError:
        raise BadImage("is not a PNG, JPEG, WebP or GIF image") from None
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise BadImage(f"is damaged: {_first_line(error)}") from None
    _check_pixels(image.width, image.height, max_pixels)
    # From here on the size must not grow: a frame can claim to be larger than its canvas.
    Image.MAX_IMAGE_PIXELS = max_pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    return image


def examine(file: BinaryIO, max_pixels: int) -> Facts:
    """Decode the whole first frame and return its type and size. Raises BadImage, or MemoryError."""
    image = open_image(file, max_pixels)
    format_name = image.format or ""
    decode(image)
    width, height = image.size
    orientation = image.getexif().get(_ORIENTATION)
    if not isinstance(orientation, int) or orientation not in range(1, 9):
        orientation = 1
    if orientation in _SIDEWAYS:
        width, height = height, width
    return Facts(MIME_TYPES[format_name], width, height, orientation)


def decode(image: Image.Image) -> None:
    """Decode the first frame. Raises BadImage."""
    try:
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImage("has a frame that is larger than an image may be") from None
    except (OSError, SyntaxError, ValueError, IndexError, struct.error) as error:
        raise BadImage(f"is damaged: {_first_line(error)}") from None


def _check_pixels(width: int, height: int, maximum: int) -> None:
    if width * height > maximum:
        raise BadImage(f"has {width:,} × {height:,} pixels, {width * height:,} in all; the maximum is {maximum:,}")


def _webp_canvas(file: BinaryIO) -> tuple[int, int]:
    """Width and height in a WebP header (RFC 9649 section 2), or 0 × 0 for other data."""
    head = file.read(30)
    file.seek(0)
    if len(head) < 30 or head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return 0, 0
    if head[12:16] == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
