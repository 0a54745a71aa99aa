"""The output of commands: for a person at a terminal, for a log, as JSON lines for a program, or none.

Progress and messages go to standard error, results to standard output.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.progress_bar import ProgressStep, ProgressTrack
from slipway.client.printable import printable

_LINE_SECONDS = 1.0


@dataclass(frozen=True)
class OutputTable:
    """A table: headings and rows of cells."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


class Output:
    """The base class; it prints errors only (`--quiet`)."""

    def plan(self, phases: Sequence[str]) -> None:
        """Announce the phases of a long command."""

    def info(self, text: str) -> None:
        """Print a message."""

    def step(self, step: ProgressStep) -> None:
        """Show progress. It may be called at any rate."""

    def result(self, facts: dict[str, Any], text: str, table: OutputTable | None = None) -> None:
        """Print the result."""

    def error(self, problem: CommandError) -> None:
        sys.stderr.write(f"slipway: {printable(str(problem))}\n")

    def close(self) -> None:
        """End the display of progress."""


class JsonLines(Output):
    """For programs: one object per line. The last one has `"event": "result"` and all facts, for failures too."""

    def __init__(self) -> None:
        self._track: ProgressTrack | None = None
        self._phase = ""
        self._said_at = 0.0

    def plan(self, phases: Sequence[str]) -> None:
        self._track = ProgressTrack(phases)

    def info(self, text: str) -> None:
        self._write({"event": "note", "message": text})

    def step(self, step: ProgressStep) -> None:
        now = time.monotonic()
        fraction = self._track.advance(step) if self._track else None
        if step.phase == self._phase and step.done != step.total and now - self._said_at < _LINE_SECONDS:
            return
        self._phase, self._said_at = step.phase, now
        line: dict[str, Any] = {"event": "progress", "phase": step.phase, "done": step.done, "total": step.total}
        if fraction is not None:
            line["fraction"] = round(fraction, 4)
        if step.bytes_per_second is not None:
            line["bytesPerSecond"] = round(step.bytes_per_second)
        self._write(line)

    def result(self, facts: dict[str, Any], text: str, table: OutputTable | None = None) -> None:
        self._write({"event": "result", "ok": True, "exitCode": int(ExitCode.OK), "message": text, **facts})

    def error(self, problem: CommandError) -> None:
        failed = {"ok": False, "exitCode": int(problem.code), "error": problem.error_code, "message": str(problem)}
        self._write({"event": "result", **failed, **problem.facts})

    def _write(self, document: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(document, ensure_ascii=True) + "\n")
        sys.stdout.flush()
