"""Columns over time: one for each hour or day, oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.web.charts.units import Unit, round_top
from app.web.frame.formats import NO_BREAK_SPACE, Phrase, plain_text

# Units of the drawing, which the page stretches to its width.
STEP, GAP, HEIGHT = 10, 2, 100


@dataclass(frozen=True)
class Point:
    """One hour or day. `label`: its begin, for the table; `tooltip`: the same in words that need no script."""

    label: Phrase
    tooltip: str
    amount: int


@dataclass(frozen=True)
class Column:
    """One drawn column. Its left upper corner is at (`x`, `y`); `height` 0: nothing to draw; `look`: "open" until its
    time has ended."""

    x: int
    y: int
    height: int
    tooltip: str
    look: Literal["full", "open"]


@dataclass(frozen=True)
class NumberRow:
    """One row of the table. `number` is in the chart's unit."""

    label: Phrase
    number: str
    is_complete: bool


@dataclass(frozen=True)
class ColumnChart:
    """A chart with its words. `scale`: the numbers at its top, middle and bottom; `ticks`: labels of equal widths below
    it, each for the column above its left end; `unfinished`: what has not ended yet, such as "Today"."""

    id: str
    title: str
    summary: Phrase
    unit: str
    scale: tuple[str, str, str]
    ticks: Sequence[Phrase]
    columns: Sequence[Column]
    rows: Sequence[NumberRow]
    label_heading: str
    number_heading: str
    unfinished: str

    @property
    def width(self) -> int:
        return STEP * len(self.rows)

    @property
    def plain_summary(self) -> str:
        """For screen readers, which do not run the script that writes moments."""
        return plain_text(self.summary)


@dataclass(frozen=True)
class ColumnWords:
    """The words of a chart, except its numbers. `tick_step`: every how many columns there is a label."""

    id: str
    title: str
    label_heading: str
    number_heading: str
    unfinished: str
    tick_step: int


def column_chart(words: ColumnWords, points: Sequence[Point], unit: Unit, summary: Phrase) -> ColumnChart:
    """Raises ValueError if all amounts are 0: such a chart is a sentence."""
    top = round_top(max(point.amount for point in points), unit)
    last = len(points) - 1
    return ColumnChart(
        id=words.id,
        title=words.title,
        summary=summary,
        unit=unit.name,
        scale=(f"{unit.number(top)}{NO_BREAK_SPACE}{unit.name}", unit.number(top / 2), "0"),
        ticks=[point.label for point in points[:: words.tick_step]],
        columns=[_column(place, point, top, unit, place != last) for place, point in enumerate(points)],
        rows=[NumberRow(point.label, unit.number(point.amount), place != last) for place, point in enumerate(points)],
        label_heading=words.label_heading,
        number_heading=f"{words.number_heading} ({unit.name})",
        unfinished=words.unfinished,
    )


def _column(place: int, point: Point, top: float, unit: Unit, is_complete: bool) -> Column:
    height = max(1, round(point.amount / top * HEIGHT)) if point.amount else 0
    amount = f"{unit.number(point.amount)}{NO_BREAK_SPACE}{unit.name}"
    so_far = "" if is_complete else " so far"
    return Column(
        x=STEP * place + GAP // 2,
        y=HEIGHT - height,
        height=height,
        tooltip=f"{point.tooltip}: {amount}{so_far}",
        look="full" if is_complete else "open",
    )
