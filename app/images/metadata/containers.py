"""The four formats: what can be read from, or removed from, their containers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app.images.metadata import gif, jpeg, png, webp
from app.images.metadata.orientation import UPRIGHT
from app.images.metadata.pieces import Pieces, Source


class _Strip(Protocol):
    def __call__(self, source: Source, orientation: int, /, *, with_profile: bool = True) -> Pieces: ...


@dataclass(frozen=True)
class Container:
    """One format. All functions raise DamagedContainer.

    `strip` removes the metadata; with `with_profile=False` also the colours' description, so that only the picture is
    left. `orientation_of`: 1 to 8. `profile_of`: the ICC profile, or None.
    """

    strip: _Strip
    orientation_of: Callable[[Source], int]
    profile_of: Callable[[Source], bytes | None]


CONTAINERS = {
    "image/png": Container(png.strip, png.orientation_of, png.profile_of),
    "image/jpeg": Container(jpeg.strip, jpeg.orientation_of, jpeg.profile_of),
    "image/webp": Container(webp.strip, webp.orientation_of, webp.profile_of),
    "image/gif": Container(gif.strip, lambda _: UPRIGHT, lambda _: None),
}
