"""Bytes that arrived on servers, per hour and per day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app.fleet.history.transfer_hours import Transferred
from app.web.charts.column_chart import ColumnChart, ColumnWords, Point, column_chart
from app.web.charts.units import byte_unit
from app.web.frame.formats import Moment, Phrase, counted, format_size

_HOURS = ColumnWords(
    id="transfer-hours",
    title="Transferred per hour",
    label_heading="Hour from",
    number_heading="Transferred",
    unfinished="this hour",
    tick_step=12,
)
_DAYS = ColumnWords(
    id="transfer-days",
    title="Transferred per day",
    label_heading="Day (UTC)",
    number_heading="Transferred",
    unfinished="today",
    tick_step=5,
)


def hours_chart(hours: Sequence[Transferred]) -> ColumnChart | None:
    """None if nothing was transferred."""
    points = [Point((Moment(hour.begin, "end"),), Moment(hour.begin, "end").plain, hour.bytes) for hour in hours]
    return _chart(_HOURS, points, counted(len(hours), "hour"))


def days_chart(days: Sequence[Transferred]) -> ColumnChart | None:
    """None if nothing was transferred. Days are those of UTC: the sums are made before a reader's zone is known."""
    points = [Point((_day(day.begin),), _day(day.begin), day.bytes) for day in days]
    return _chart(_DAYS, points, counted(len(days), "day"))


def _chart(words: ColumnWords, points: Sequence[Point], span: str) -> ColumnChart | None:
    amounts = [point.amount for point in points]
    if not any(amounts):
        return None
    largest = points[amounts.index(max(amounts))]
    summary: Phrase = (
        f"{format_size(sum(amounts))} in {span}. Most: {format_size(largest.amount)}, ",
        *largest.label,
        ".",
    )
    return column_chart(words, points, byte_unit(amounts), summary)


def _day(at: datetime) -> str:
    return f"{at.day} {at:%b}"
