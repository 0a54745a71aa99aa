"""Sizes and durations as people write and read them: binary units under the short names, everywhere in the product."""

from __future__ import annotations

import re

_FACTORS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes of `500M`, `2G`, `1.5GiB`, `1048576`. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a size: write it like 500M or 2G")
    return int(float(match[1]) * _FACTORS[match[2].upper()])


def format_size(count: float) -> str:
    """`3.2 GB`, `2 GB`, `812 bytes`."""
    for unit in ("T", "G", "M", "K"):
        factor = _FACTORS[unit]
        if count >= factor:
            return f"{count / factor:.1f}".removesuffix(".0") + f" {unit}B"
    return f"{count:.0f} bytes"


def format_seconds(seconds: float) -> str:
    """`40 s`, `4 min`, `2 h 5 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
