"""Sizes and durations as people write and read them.

All sizes are in binary units, in the command, the agent and the dashboard alike: `2G` in a setting is 2 GiB on a page.
app/static/src/js/byte-sizes.js does the same in the browser."""

from __future__ import annotations

import re

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_FACTORS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes of `500M`, `2G`, `1.5GiB`, `1048576`. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a size: write it like 500M or 2G")
    return int(float(match[1]) * _FACTORS[match[2].upper()])


def format_size(amount: float, space: str = " ") -> str:
    """A measured amount of bytes: `0 B`, `640 MiB`, `7.2 GiB`. One decimal place from 1 MiB on and below 100. `space`
    stands before the unit."""
    unit = _unit_of(amount)
    return f"{_in_unit(amount, unit, _places(amount, unit))}{space}{UNITS[unit]}"


def format_part(part: float, whole: float, space: str = " ", places: int = 1) -> str:
    """A part of an amount: `1.2 of 2.0 GiB`. Both are in the unit of the whole, with as many decimal places. `places`:
    how many from 1 MiB on and below 100."""
    unit = _unit_of(whole)
    shown = _places(whole, unit, places)
    return f"{_in_unit(part, unit, shown)} of {_in_unit(whole, unit, shown)}{space}{UNITS[unit]}"


def _unit_of(amount: float) -> int:
    """The place in UNITS of the unit in which the amount has at most three digits before its point."""
    return next((unit for unit in range(len(UNITS)) if amount / 1024**unit < 999.5), len(UNITS) - 1)


def _places(amount: float, unit: int, places: int = 1) -> int:
    return 0 if unit < 2 or amount / 1024**unit >= 99.95 else places


def _in_unit(amount: float, unit: int, places: int) -> str:
    return f"{max(amount, 0) / 1024**unit:,.{places}f}"


def format_limit(amount: int, space: str = " ") -> str:
    """A limit: `20 GiB` if it is a whole number of a unit, else exact bytes. Never rounded, so that what is just below
    it is accepted."""
    for unit in ("T", "G", "M", "K"):
        if amount >= _FACTORS[unit] and amount % _FACTORS[unit] == 0:
            return f"{amount // _FACTORS[unit]:,}{space}{unit}iB"
    return f"{amount:,}{space}B"


def format_seconds(seconds: float) -> str:
    """`40 s`, `4 min`, `2 h 5 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
