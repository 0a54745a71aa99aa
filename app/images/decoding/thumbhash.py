"""ThumbHash: an image as some 25 bytes, from which a browser draws a blurred placeholder (evanw.github.io/thumbhash).

Written from the description of the format. The picture is reduced to a few cosine waves of lightness, of two colour
differences and, if it is transparent, of opacity. Each is stored in four bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image

# The format allows 100; with pure Python's cosines 32 is as good for a blur and ten times as fast.
_LONGER_SIDE = 32
Channel = Sequence[float]


def thumbhash(image: Image.Image) -> bytes:
    """The hash of an RGB or RGBA image."""
    small = image.convert("RGBA")
    small.thumbnail((_LONGER_SIDE, _LONGER_SIDE), Image.Resampling.BOX)
    return encode(*small.size, small.tobytes())


def encode(width: int, height: int, rgba: bytes) -> bytes:
    """The hash of `width` × `height` pixels of four bytes each, not premultiplied."""
    lightness, yellow_blue, red_green, opacity = _channels(rgba)
    transparent = min(opacity) < 1
    max_waves = 5 if transparent else 7
    longer = max(width, height)
    waves_x = max(1, _rounded(max_waves * width / longer))
    waves_y = max(1, _rounded(max_waves * height / longer))
    size = (width, height)
    light = _waves(lightness, size, max(3, waves_x), max(3, waves_y))
    yellow = _waves(yellow_blue, size, 3, 3)
    red = _waves(red_green, size, 3, 3)
    landscape = width > height

    head = (
        _rounded(63 * light[0])
        | _rounded(31.5 + 31.5 * yellow[0]) << 6
        | _rounded(31.5 + 31.5 * red[0]) << 12
        | _rounded(31 * light[2]) << 18
        | transparent << 23
    )
    tail = (
        (waves_y if landscape else waves_x)
        | _rounded(63 * yellow[2]) << 3
        | _rounded(63 * red[2]) << 9
        | landscape << 15
    )
    found = bytearray(head.to_bytes(3, "little") + tail.to_bytes(2, "little"))
    nibbles = [*light[1], *yellow[1], *red[1]]
    if transparent:
        alpha = _waves(opacity, size, 5, 5)
        found.append(_rounded(15 * alpha[0]) | _rounded(15 * alpha[2]) << 4)
        nibbles += alpha[1]
    for index in range(0, len(nibbles), 2):
        low, high = (_rounded(15 * value) for value in [*nibbles[index : index + 2], 0.0][:2])
        found.append(low | high << 4)
    return bytes(found)


def _channels(rgba: bytes) -> tuple[list[float], list[float], list[float], list[float]]:
    """Lightness, yellow-blue, red-green and opacity of every pixel, over the average colour."""
    opacity = [alpha / 255 for alpha in rgba[3::4]]
    total = sum(opacity)
    average = [
        sum(value / 255 * alpha for value, alpha in zip(rgba[first::4], opacity, strict=True)) / total if total else 0.0
        for first in range(3)
    ]
    laid = [
        [mean * (1 - alpha) + alpha / 255 * value for value, alpha in zip(rgba[first::4], opacity, strict=True)]
        for first, mean in enumerate(average)
    ]
    pixels = list(zip(*laid, strict=True))
    return (
        [(r + g + b) / 3 for r, g, b in pixels],
        [(r + g) / 2 - b for r, g, b in pixels],
        [r - g for r, g, b in pixels],
        opacity,
    )


def _waves(channel: Channel, size: tuple[int, int], max_x: int, max_y: int) -> tuple[float, list[float], float]:
    """The channel's mean, its waves scaled to 0 … 1, and that scale. A triangle of frequencies: waves that are fine in
    both directions are not worth their bits."""
    width, height = size
    rows = [channel[start : start + width] for start in range(0, width * height, width)]
    values: list[float] = []
    for wave_y in range(max_y):
        along_y = [math.cos(math.pi / height * wave_y * (y + 0.5)) for y in range(height)]
        columns = [sum(row[x] * factor for row, factor in zip(rows, along_y, strict=True)) for x in range(width)]
        for wave_x in range(max_x):
            if wave_x * max_y >= max_x * (max_y - wave_y):
                break
            step = math.pi / width * wave_x
            values.append(sum(c * math.cos(step * (x + 0.5)) for x, c in enumerate(columns)) / (width * height))
    mean, *rest = values
    scale = max((abs(value) for value in rest), default=0.0)
    return mean, [0.5 + 0.5 / scale * value for value in rest] if scale else rest, scale


def _rounded(value: float) -> int:
    return math.floor(value + 0.5)  # halves are rounded up, as browsers do when they decode it
