"""Sizes, times and text as people read them. Binary units under the short names, as everywhere in the product."""

from __future__ import annotations

_UNITS = (("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10))


def format_size(count: float) -> str:
    """`3.2 GB`, `2 GB`, `812 bytes`."""
    for unit, factor in _UNITS:
        if count >= factor:
            return f"{count / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count:.0f} bytes"


def format_seconds(seconds: float) -> str:
    """`40 s`, `4 min`, `2 h 5 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def printable(text: str) -> str:
    """Text from elsewhere (file names, notes, the platform's answers) without what a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
