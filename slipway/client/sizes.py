"""Sizes and durations as people write and read them.

Measured amounts are shown in decimal units, in the command, the agent and the dashboard alike. Limits are written and
shown in binary units: `2G` is 2 GiB."""

from __future__ import annotations

import re

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_FACTORS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes of `500M`, `2G`, `1.5GiB`, `1048576`. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a size: write it like 500M or 2G")
    return int(float(match[1]) * _FACTORS[match[2].upper()])


def format_size(amount: float, space: str = " ") -> str:
    """Bytes in decimal units: `0 B`, `640 MB`, `7.2 GB`. One decimal place from 1 MB on and below 100. `space` stands
    before the unit."""
    value = float(max(amount, 0))
    for unit in _UNITS:
        # 999.95 would be written as 1,000.0
        if value < 999.5 or unit == _UNITS[-1]:
            break
        value /= 1000
    digits = 0 if unit in {"B", "kB"} or value >= 99.95 else 1
    return f"{value:,.{digits}f}{space}{unit}"


def format_limit(amount: int, space: str = " ") -> str:
    """A limit in bytes: `20 GiB` if it is an integral number of binary units, else exact bytes."""
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
