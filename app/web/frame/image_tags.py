"""Images on pages: which file the browser loads, and the placeholder it shows until then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.config.settings import settings
from app.images.shown_images import ShownImage

# A ThumbHash has no more detail than this.
_CANVAS = 32
_THUMBNAIL_BOX = (104, 48)  # of a game's cover in a row of a table, in CSS pixels, sharp on dense screens


@dataclass(frozen=True)
class Picture:
    """For the `picture` macro. `width` and `height` are the size on the page in CSS pixels; `canvas` is the size of its
    placeholder, in the same proportion."""

    url: str
    srcset: str
    width: int
    height: int
    placeholder: str | None
    canvas: tuple[int, int]


def image_url(key: str) -> str:
    """The address of an image for a page: on the host of the page, or on the CDN."""
    return f"{settings().asset_base_url or ''}/{key}"


def picture(image: ShownImage, width: int, height: int) -> Picture:
    """The image in a box of at most `width` × `height` CSS pixels, sharp on dense screens too."""
    return Picture(
        url=image_url(image.key_for(256 if max(width, height) <= 256 else 768)),
        srcset=_srcset(image, 768 if max(width, height) <= 256 else 2048),
        width=max(1, round(image.width_px * _scale(image, width, height))),
        height=max(1, round(image.height_px * _scale(image, width, height))),
        placeholder=image.placeholder,
        canvas=_canvas(image.width_px, image.height_px),
    )


def game_thumbnail(cover: ShownImage | None) -> Picture | None:
    """A game's cover for a row of a table (the `thumb` macro)."""
    return picture(cover, *_THUMBNAIL_BOX) if cover else None


def _scale(image: ShownImage, width: int, height: int) -> float:
    return min(1.0, width / max(image.width_px, 1), height / max(image.height_px, 1))


def _srcset(image: ShownImage, largest: int) -> str:
    widths: dict[int, str] = {v.width_px: v.key for v in image.variants if v.size <= largest}
    return ", ".join(f"{image_url(key)} {width}w" for width, key in widths.items()) if len(widths) > 1 else ""


def _canvas(width: int, height: int) -> tuple[int, int]:
    longer = max(width, height, 1)
    return max(1, round(_CANVAS * width / longer)), max(1, round(_CANVAS * height / longer))


def fit_in_row(boxes: Sequence[tuple[float, float]], width: float, height: float) -> list[tuple[int, int]]:
    """Scale boxes to stand side by side, in CSS pixels: each at most `height` high, and together at most `width` wide.
    All boxes are scaled by the same factor."""
    tallest = max((tall for _, tall in boxes), default=1) or 1
    total = sum(wide for wide, _ in boxes) or 1
    scale = min(height / tallest, width / total)
    return [(max(1, round(wide * scale)), max(1, round(tall * scale))) for wide, tall in boxes]
