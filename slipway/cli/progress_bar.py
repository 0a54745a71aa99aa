"""The progress of a command as one number that never decreases, even when a step is retried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Shares of the bar, by the usual duration of each phase.
WEIGHTS = {"packing": 20, "reading": 10, "uploading": 60, "checking": 20, "caching": 30, "downloading": 60}
TITLES = {
    "packing": "Packing",
    "reading": "Reading",
    "uploading": "Uploading",
    "checking": "Checking",
    "caching": "Released",
    "downloading": "Downloading",
}


@dataclass(frozen=True)
class ProgressStep:
    """`done` of `total` bytes of a phase. `text` is shown beside the bar."""

    phase: str
    done: int
    total: int
    bytes_per_second: float | None = None
    text: str = ""


class ProgressTrack:
    """Converts steps to positions on the bar. Phases run in the given order."""

    def __init__(self, phases: Sequence[str]) -> None:
        self._whole = sum(WEIGHTS[phase] for phase in phases)
        self._before: dict[str, int] = {}
        at = 0
        for phase in phases:
            self._before[phase] = at
            at += WEIGHTS[phase]
        self.fraction = 0.0

    def advance(self, step: ProgressStep) -> float:
        """The position on the bar, from 0 to 1."""
        within = min(1.0, step.done / step.total) if step.total else 1.0
        self.fraction = max(self.fraction, (self._before[step.phase] + WEIGHTS[step.phase] * within) / self._whole)
        return self.fraction
