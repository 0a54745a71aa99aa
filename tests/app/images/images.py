"""Images made for tests, small and of every kind."""

from __future__ import annotations

import base64
import hashlib
import io
import random
from typing import Any

from PIL import Image


def picture(
    width: int = 75, height: int = 105, *, seed: int = 1, mode: str = "RGB", kind: str = "PNG", **save: Any
) -> bytes:
    """An image with soft gradients and a little noise, the same bytes for the same arguments."""
    rng = random.Random(seed)
    small = Image.new("RGB", (5, 7))
    small.putdata([(rng.randrange(256), rng.randrange(256), rng.randrange(256)) for _ in range(35)])
    image = small.resize((width, height), Image.Resampling.BICUBIC)
    if mode != "RGB":
        image = image.convert(mode)
    return saved(image, kind, **save)


def saved(image: Image.Image, kind: str = "PNG", **save: Any) -> bytes:
    """The image as a file of that kind."""
    out = io.BytesIO()
    image.save(out, kind, **save)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    """The image in these bytes, decoded."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def checksum(data: bytes) -> str:
    """As presign wants it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode()
