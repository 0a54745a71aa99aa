"""A chart of the last hour as SVG paths, which need no inline style: the content security policy forbids it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

# Units of the drawing; the page scales it to 120 x 24 px or 72 x 24 px. Integers keep the paths short.
STEP = 2
HEIGHT = 48
TOP, BOTTOM = 4, 45  # room for the line's own width


@dataclass(frozen=True)
class Sparkline:
    """`d` attributes, "" for paths that are not drawn. `lost`: there is no contact with the server, so the line ends at
    the last contact and continues dotted."""

    line: str
    area: str
    dot: str
    dots: str
    lost: bool
    width: int


def sparkline(values: Sequence[int], silent: int | None = None) -> Sparkline:
    """`values`: amounts per minute, oldest first. `silent`: minutes without contact, or None."""
    width = STEP * (len(values) - 1)
    known = values if silent is None else values[: max(0, len(values) - silent)]
    heights = _heights(known)
    line = _path(heights)
    if silent is not None:
        end = STEP * max(0, len(known) - 1)
        dots = f"M{end} {BOTTOM}H{width}" if end < width else ""
        return Sparkline(line, "", "", dots, True, width)
    return Sparkline(line, f"{line}V{HEIGHT}H0Z", f"M{width} {heights[-1]}h0", "", False, width)


def _heights(values: Sequence[int]) -> list[int]:
    most = max(values, default=0)
    return [BOTTOM - (round(value / most * (BOTTOM - TOP)) if most else 0) for value in values]


def _path(heights: Sequence[int]) -> str:
    """A path of relative steps. Consecutive equal values are one step."""
    if len(heights) < 2:
        return ""
    pieces, level = [f"M0 {heights[0]}"], 0
    for before, after in pairwise(heights):
        if before == after:
            level += STEP
            continue
        if level:
            pieces.append(f"h{level}")
            level = 0
        pieces.append(f"l{STEP} {after - before}")
    if level:
        pieces.append(f"h{level}")
    return "".join(pieces)
