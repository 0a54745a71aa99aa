"""How long releases of a game took until every server had cached the build."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app.fleet.history.rollout_times import RolloutTime
from app.web.charts.bar_chart import Bar, BarChart, parts
from app.web.charts.units import Unit, time_unit
from app.web.frame.formats import Moment, Phrase, counted, format_duration

NOT_RECORDED = "Not recorded"
_DAY = 86_400  # seconds


def rollout_chart(times: Sequence[RolloutTime], at: datetime) -> BarChart | None:
    """Newest first. `at`: now, for a release that servers still fetch. None if no release has a time or may get one."""
    known = [time.seconds for time in times if time.seconds is not None]
    running = [(at - time.released_at).total_seconds() for time in times if _is_running(time)]
    if not known and not running:
        return None
    # A server that is away for weeks must not make all other bars too short to see.
    largest = max(known or running)
    unit = time_unit([largest])
    missing = any(time.seconds is None and not time.is_live for time in times)
    return BarChart(
        id="rollout-times",
        title="Time until cached on all servers",
        summary=_summary(times),
        bars=[_bar(time, at, largest, unit) for time in times],
        headings=("Build", "Released", f"Time ({unit.name})"),
        number_columns=1,
        legend=(("open", "Not on all servers yet"),) if running else (),
        more="A release has no time if another one came before all servers had its build." if missing else "",
    )


def _is_running(time: RolloutTime) -> bool:
    return time.seconds is None and time.is_live


def _summary(times: Sequence[RolloutTime]) -> Phrase:
    known = [time for time in times if time.seconds is not None]
    if not known:
        return ("No release is on all servers yet.",)
    slowest = max(known, key=lambda time: time.seconds or 0)
    return (f"Slowest: build {slowest.build}, {_duration(slowest.seconds or 0).lower()}.",)


def _bar(time: RolloutTime, at: datetime, largest: float, unit: Unit) -> Bar:
    released: Phrase = (Moment(time.released_at, "end"),)
    if time.seconds is not None:
        # What says "At once" has no bar, even where every other release is as fast.
        drawn = parts([(time.seconds if time.seconds >= 1 else 0, "full")], largest or 1)
        number = unit.number(time.seconds)
        return Bar(f"Build {time.build}", released, _duration(time.seconds), drawn, [released, (number,)])
    if time.is_live:
        elapsed = (at - time.released_at).total_seconds()
        drawn = parts([(elapsed, "open")], largest or 1)
        value = f"Not yet, {_duration(elapsed)} so far"
        return Bar(f"Build {time.build}", released, value, drawn, [released, ("Not yet",)])
    return Bar(f"Build {time.build}", released, NOT_RECORDED, [], [released, (NOT_RECORDED,)])


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "At once"
    return format_duration(seconds) if seconds < 2 * _DAY else counted(round(seconds / _DAY), "day")
