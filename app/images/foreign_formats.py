"""Images of other formats, by their first bytes, and how to turn them into one that is accepted."""

from __future__ import annotations

from typing import NamedTuple

ACCEPTED = "PNG, JPEG, WebP or GIF"
HEAD_BYTES = 64
_AVIF_BRANDS = (b"avif", b"avis")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
_HEIC_REMEDY = (
    "Export it as JPEG: on a Mac in Preview with File > Export, on Windows in Photos with Save as. An iPhone takes "
    "JPEG with Settings > Camera > Formats > Most Compatible"
)


class ForeignFormat(NamedTuple):
    """`name` completes "is …"; `remedy` is a sentence."""

    name: str
    remedy: str


_HEIC = ForeignFormat("HEIC", _HEIC_REMEDY)
_AVIF = ForeignFormat("AVIF", "Export it as PNG, JPEG or WebP")
_EXPORT = "Export it as PNG or JPEG"
_SIGNATURES = (
    (b"II*\0", ForeignFormat("TIFF", _EXPORT)),
    (b"MM\0*", ForeignFormat("TIFF", _EXPORT)),
    (b"BM", ForeignFormat("BMP", _EXPORT)),
    (b"\0\0\1\0", ForeignFormat("an icon (ICO)", _EXPORT)),
    (b"8BPS", ForeignFormat("a Photoshop document", _EXPORT)),
    (b"%PDF", ForeignFormat("a PDF document", _EXPORT)),
    (b"\xff\x0a", ForeignFormat("JPEG XL", _EXPORT)),
    (b"\0\0\0\x0cJXL ", ForeignFormat("JPEG XL", _EXPORT)),
    (b"\0\0\0\x0cjP  ", ForeignFormat("JPEG 2000", _EXPORT)),
    (b"\xff\x4f\xff\x51", ForeignFormat("JPEG 2000", _EXPORT)),
    (b"<svg", ForeignFormat("SVG", _EXPORT)),
    (b"<?xml", ForeignFormat("SVG or other XML", _EXPORT)),
)
_TYPES = {
    **{f"image/{brand.decode()}": _HEIC for brand in _HEIC_BRANDS},
    "image/heif": _HEIC,
    **{f"image/{brand.decode()}": _AVIF for brand in _AVIF_BRANDS},
    "image/tiff": ForeignFormat("TIFF", _EXPORT),
    "image/bmp": ForeignFormat("BMP", _EXPORT),
    "image/svg+xml": ForeignFormat("SVG", _EXPORT),
    "image/jxl": ForeignFormat("JPEG XL", _EXPORT),
}


def foreign_format(head: bytes) -> ForeignFormat | None:
    """The format of a file that begins with `head` (HEAD_BYTES), if it is a known one that is not accepted."""
    if head[4:8] == b"ftyp":  # ISO base media file format: the main brand, a version, then compatible brands
        brands = {head[8:12], *(head[at : at + 4] for at in range(16, min(len(head), head[3]), 4))}
        if not brands.isdisjoint(_AVIF_BRANDS):
            return _AVIF
        return _HEIC if not brands.isdisjoint(_HEIC_BRANDS) else None
    return next((found for signature, found in _SIGNATURES if head.startswith(signature)), None)


def foreign_type(content_type: str) -> ForeignFormat | None:
    """The format of a media type, if it is a known one that is not accepted."""
    return _TYPES.get(content_type)
