"""Opens untrusted images: four formats, and the size is checked before a pixel is decoded.

The decoder gets the picture alone. Metadata is removed from the container before, unread but for the orientation and
the colour profile, so that damaged metadata is never a reason to refuse an image that browsers show.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import struct
import warnings
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from app.images.foreign_formats import ACCEPTED, HEAD_BYTES, foreign_format
from app.images.metadata.containers import CONTAINERS
from app.images.metadata.orientation import UPRIGHT
from app.images.metadata.pieces import DamagedContainer

_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}
PILLOW_FORMATS = tuple(_FORMATS.values())
_SIDEWAYS = {5, 6, 7, 8}
_END_OF_JPEG = b"\xff\xd9"
# Entropy-coded data without markers: it changes a picture whose own data is not complete.
_FILLER = b"\x5a\xa5\x3c\xc3" * 256


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


@dataclass
class OpenedImage:
    """An image that is not decoded yet. `orientation`: EXIF, 1 to 8. `profile`: ICC, or None. `data`: the picture
    without metadata. `is_cut_off`: the file has no end marker."""

    image: Image.Image
    mime_type: str
    orientation: int
    profile: bytes | None
    data: bytes
    is_cut_off: bool


def open_image(file: BinaryIO, max_pixels: int) -> OpenedImage:
    """Raises BadImage."""
    head = file.read(HEAD_BYTES)
    mime_type = _type_of(head)
    # Pillow's WebP reader allocates the whole canvas when it opens the file, so the header must be read before.
    _check_pixels(*_webp_canvas(head), max_pixels)
    container = CONTAINERS[mime_type]
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as source:
        try:
            pieces = container.strip(source, UPRIGHT, with_profile=False)
            orientation, profile = container.orientation_of(source), container.profile_of(source)
        except DamagedContainer as damaged:
            raise BadImage(f"is damaged: it {damaged}") from None
        data = b"".join(pieces.read())
    image = _open(data, mime_type, max_pixels)
    return OpenedImage(image, mime_type, orientation, profile, data, pieces.is_cut_off)


def examine(file: BinaryIO, max_pixels: int) -> Facts:
    """Decode the whole first frame and return its type and size. Raises BadImage, or MemoryError."""
    opened = open_image(file, max_pixels)
    decode(opened.image)
    if opened.mime_type == "image/jpeg" and opened.is_cut_off and not _is_complete(opened, max_pixels):
        raise BadImage("is damaged: it ends before its picture does")
    width, height = opened.image.size
    if opened.orientation in _SIDEWAYS:
        width, height = height, width
    return Facts(opened.mime_type, width, height, opened.orientation)


def decode(image: Image.Image) -> None:
    """Decode the first frame. Raises BadImage."""
    try:
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImage("has a frame that is larger than an image may be") from None
    except (OSError, SyntaxError, ValueError, IndexError, struct.error) as error:
        raise BadImage(f"is damaged: {_first_line(error)}") from None


def _type_of(head: bytes) -> str:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8"):
        return "image/jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    foreign = foreign_format(head)
    if foreign:
        raise BadImage(f"is {foreign.name}, whatever its name is, and not a {ACCEPTED} image. {foreign.remedy}")
    raise BadImage(f"is not a {ACCEPTED} image")


def _open(data: bytes, mime_type: str, max_pixels: int) -> Image.Image:
    # Our own limit applies, and its message names the size. Pillow's limit would raise before we know it.
    Image.MAX_IMAGE_PIXELS = None
    try:
        image = Image.open(io.BytesIO(data), formats=(_FORMATS[mime_type],))
    except UnidentifiedImageError:
        raise BadImage("is damaged: its header cannot be read") from None
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise BadImage(f"is damaged: {_first_line(error)}") from None
    _check_pixels(image.width, image.height, max_pixels)
    # From here on the size must not grow: a frame can claim to be larger than its canvas.
    Image.MAX_IMAGE_PIXELS = max_pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    return image


def _is_complete(opened: OpenedImage, max_pixels: int) -> bool:
    """Whether a decoded JPEG without an end marker has its whole picture: then other data before the marker does not
    change a pixel. Decoders fill up what is missing without an error."""
    before = hashlib.sha256(opened.image.tobytes()).digest()
    filled = _open(opened.data.removesuffix(_END_OF_JPEG) + _FILLER + _END_OF_JPEG, opened.mime_type, max_pixels)
    decode(filled)
    return hashlib.sha256(filled.tobytes()).digest() == before


def _check_pixels(width: int, height: int, maximum: int) -> None:
    if width * height > maximum:
        raise BadImage(f"has {width:,} × {height:,} pixels, {width * height:,} in all; the maximum is {maximum:,}")


def _webp_canvas(head: bytes) -> tuple[int, int]:
    """Width and height in a WebP header (RFC 9649 section 2), or 0 × 0 for other data."""
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
