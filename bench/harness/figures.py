"""The figures of the last saved run of each bench, in bench/figures.json. `python -m bench --save` replaces them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

FILE = Path(__file__).parents[1] / "figures.json"


class Figure(TypedDict):
    value: float
    date: str
    load: float  # the machine's load average; above its number of cores, times are not reliable


_now: dict[str, Figure] = {}


def last_figure(what: str) -> Figure | None:
    """The figure of the last saved run, or None for a new one."""
    return _saved().get(what)


def note_figure(what: str, value: float) -> None:
    """Remember a figure of this run."""
    date = datetime.now(UTC).date().isoformat()
    _now[what] = {"value": float(f"{value:.4g}"), "date": date, "load": round(os.getloadavg()[0], 1)}


def save_figures() -> None:
    """Keep the figures of this run; those of benches that did not run stay as they are."""
    FILE.write_text(json.dumps(dict(sorted((_saved() | _now).items())), indent=1) + "\n")


def _saved() -> dict[str, Figure]:
    found: dict[str, Figure] = json.loads(FILE.read_text()) if FILE.exists() else {}
    return found
