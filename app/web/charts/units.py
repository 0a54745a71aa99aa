"""The unit of a chart: one for all its numbers, chosen by the largest."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from slipway.client.sizes import UNITS

# Largest values of a scale, times a power of ten. Half of each is as round.
_ROUND = (1, 2, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True)
class Unit:
    """`factor`: how many bytes or seconds one unit has."""

    name: str
    factor: int

    def number(self, amount: float) -> str:
        """The amount without its unit: `0`, `< 0.1`, `12.4`, `1,204`. Bytes and seconds have no decimals."""
        value = amount / self.factor
        if value == 0 or self.factor == 1 or value >= 99.95:
            return f"{value:,.0f}"
        return f"{value:.1f}" if value >= 0.05 else "< 0.1"


_BYTES = tuple(Unit(name, 1024**power) for power, name in enumerate(UNITS))
_TIMES = (Unit("s", 1), Unit("min", 60), Unit("h", 3600), Unit("days", 86_400))


def byte_unit(amounts: Iterable[int]) -> Unit:
    """For amounts in bytes."""
    return _unit(_BYTES, max(amounts, default=0))


def time_unit(seconds: Iterable[float]) -> Unit:
    """For durations in seconds."""
    return _unit(_TIMES, max(seconds, default=0.0))


def _unit(units: tuple[Unit, ...], largest: float) -> Unit:
    return next((unit for unit in reversed(units) if largest >= unit.factor), units[0])


def round_top(largest: float, unit: Unit) -> float:
    """The largest value of a scale: round in its unit, and at least `largest`, which is positive."""
    value = largest / unit.factor
    power = 10.0 ** math.floor(math.log10(value))
    step = next((step for step in _ROUND if value <= step * power * (1 + 1e-9)), _ROUND[-1])
    return step * power * unit.factor
