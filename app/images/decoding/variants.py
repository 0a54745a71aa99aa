"""The sizes in which an image is shown, made from its pixels only: nothing else of the file is kept."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from app.images.decoding.colours import plain, to_srgb
from app.images.decoding.opening import decode, open_image
from app.images.decoding.thumbhash import thumbhash

QUALITY = 82
# How a picture is turned to be shown upright, by its EXIF orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Variant:
    """A WebP whose longer side is at most `size`."""

    size: int
    width: int
    height: int
    data: bytes


@dataclass(frozen=True)
class Derived:
    variants: list[Variant]
    placeholder: bytes  # ThumbHash


def derive(file: BinaryIO, sizes: Sequence[int], max_pixels: int) -> Derived:
    """Every size that is not larger than the image, and one for all larger sizes. Raises BadImage, or MemoryError."""
    opened = open_image(file, max_pixels)
    image = opened.image
    longest = max(image.size)
    biggest = max(sizes)
    if opened.mime_type == "image/jpeg":
        image.draft(None, (biggest, biggest))  # decodes at 1/2, 1/4 or 1/8 if that is large enough
    decode(image)
    picture = plain(image)
    picture.thumbnail((biggest, biggest), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if turn := _TURNS.get(opened.orientation):
        picture = picture.transpose(turn)
    picture = to_srgb(picture, opened.profile)
    picture.info.clear()  # the encoders would write the metadata in here
    made: list[Variant] = []
    for size in sorted(_worth_making(sizes, longest), reverse=True):
        picture.thumbnail((size, size), Image.Resampling.LANCZOS)
        made.append(Variant(size, *picture.size, _webp(picture)))
    return Derived(made[::-1], thumbhash(picture))


def _worth_making(sizes: Sequence[int], longest: int) -> list[int]:
    """Up to the first size that holds the whole image: larger ones would give the same picture."""
    ordered = sorted(sizes)
    return [size for index, size in enumerate(ordered) if index == 0 or ordered[index - 1] < longest]


def _webp(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()
