"""Bars that compare things: one line per thing with its name, its amount in words, and a bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.web.frame.formats import Phrase

WIDTH = 1000  # units of a bar's drawing, which the page stretches to its width

# How a part is drawn: full, light with an outline, or dashed and empty. Shapes differ, not only colours.
Look = Literal["full", "light", "open"]


@dataclass(frozen=True)
class Part:
    """A part of a bar, from `x` on."""

    x: int
    width: int
    look: Look


@dataclass(frozen=True)
class Bar:
    """One line. `value`: its amount in words; `mark`: the place of a line across the bar, or None; `cells`: its row of
    the table after the name. "" for no link and no tone."""

    name: str
    second: Phrase
    value: str
    parts: Sequence[Part]
    cells: Sequence[Phrase]
    url: str = ""
    mark: int | None = None
    tone: Literal["", "warn", "bad"] = ""


@dataclass(frozen=True)
class BarChart:
    """A chart with its words. `headings`: of the table; `number_columns`: how many of them, at the end, are numbers;
    `more`: what is not shown, or ""."""

    id: str
    title: str
    summary: Phrase
    bars: Sequence[Bar]
    headings: Sequence[str]
    number_columns: int
    legend: Sequence[tuple[Look, str]] = ()
    more: str = ""


def parts(amounts: Sequence[tuple[float, Look]], largest: float) -> list[Part]:
    """The parts of one bar, one after the other. `largest`: the amount of a bar of full width. Amounts above 0 get at
    least one unit of the drawing; parts never end beyond the bar."""
    found: list[Part] = []
    x = 0
    for amount, look in amounts:
        width = max(1, round(amount / largest * WIDTH)) if amount > 0 and largest > 0 else 0
        width = min(width, WIDTH - x)
        if width:
            found.append(Part(x, width, look))
            x += width
    return found
