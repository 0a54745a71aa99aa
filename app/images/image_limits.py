"""Limits for images (assets-api.md 5.1 and decision 12; the limit of pixels is our own)."""

from __future__ import annotations

from app.config.settings import MIB
from app.images.foreign_formats import foreign_type

MAX_IMAGE_BYTES = 20 * MIB
# A 600 dpi A4 sheet has 35 million. Decoded with alpha, this is 160 MB; a WebP decoder holds that four times at once.
MAX_IMAGE_PIXELS = 40_000_000
IMAGE_TYPES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WebP", "image/gif": "GIF"}
# What programs send for one of these types.
_ALIASES = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/jfif": "image/jpeg",
    "image/x-png": "image/png",
    "image/apng": "image/png",
}
VARIANT_SIZES = (256, 768, 2048)


def image_type(content_type: str) -> str | None:
    """The accepted type that a Content-Type means: without its parameters, in any case, by any of its names. None for
    another type."""
    plain = content_type.partition(";")[0].strip().lower()
    found = _ALIASES.get(plain, plain)
    return found if found in IMAGE_TYPES else None


def wrong_image_type(content_type: str) -> str:
    """A phrase that follows the name of the value: the accepted types, and what to do with a known other type."""
    accepted = f"must be one of {', '.join(IMAGE_TYPES)}"
    foreign = foreign_type(content_type.partition(";")[0].strip().lower())
    return f"{accepted}; the file is {foreign.name}. {foreign.remedy}" if foreign else accepted
