"""Any picture as sRGB with 8 bits per channel, with its transparency."""

from __future__ import annotations

import io

from PIL import Image, ImageCms

_SRGB = ImageCms.createProfile("sRGB")
_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_DEEP = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}


def plain(image: Image.Image) -> Image.Image:
    """Without palettes, colour keys and deep channels, which cannot be scaled. Mode L, RGB, CMYK or RGBA."""
    if image.mode in _DEEP:
        # Pillow would cut everything above 255 instead of scaling it.
        scaled = image.convert("F").point(lambda value: value * (1 / 257))
        return scaled.convert("L")
    if image.mode == "RGBA":
        return image
    if image.mode in {"LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode in {"L", "RGB", "CMYK"}:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A plain image as RGB or RGBA, converted from `profile` (ICC) if that can be read."""
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = _translated(image.convert("RGB") if alpha else image, profile)
    if alpha:
        colours.putalpha(alpha)
    return colours


def _translated(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if _SPACES.get(source.profile.xcolor_space.strip()) == image.mode:
                found = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
                if found is not None:
                    return found
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            # A profile that cannot be read is ignored; viewers show the picture in the same way.
            return image.convert("RGB")
    return image.convert("RGB")
