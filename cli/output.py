"""What a command says, and to whom: a person at a terminal, a log, nobody, or a program that reads JSON lines.

Progress and notes go to standard error, results to standard output.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from cli.exit_codes import ExitCode
from cli.problems import Problem
from cli.progress import TITLES, Step, Track
from cli.sizes import printable

_LINE_SECONDS = 1.0


class Output:
    """Says nothing but errors and is the base of those that say more (`--quiet`)."""

    def plan(self, phases: Sequence[str]) -> None:
        """What a long command will go through."""

    def note(self, text: str) -> None:
        """A sentence on the way."""

    def step(self, step: Step) -> None:
        """How far it is; called as often as one likes."""

    def result(self, facts: dict[str, Any], text: str, table: Table | None = None) -> None:
        """What came of it."""

    def problem(self, problem: Problem) -> None:
        sys.stderr.write(f"slipway: {printable(str(problem))}\n")

    def close(self) -> None:
        """No more progress."""


class Lines(Output):
    """For logs: a line a phase, and what came of it."""

    def __init__(self) -> None:
        self._phase = ""
        self._out = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)

    def note(self, text: str) -> None:
        sys.stderr.write(f"{printable(text)}\n")

    def step(self, step: Step) -> None:
        if step.phase != self._phase:
            self._phase = step.phase
            self.note(f"{TITLES[step.phase]} …")

    def result(self, facts: dict[str, Any], text: str, table: Table | None = None) -> None:
        if table is not None:
            self._out.print(table)
        if text:
            self._out.print(Text(printable(text)), soft_wrap=True)


class Terminal(Lines):
    """For people: one bar."""

    def __init__(self) -> None:
        super().__init__()
        self._track: Track | None = None
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=self._console,
        )
        self._task: TaskID | None = None

    def plan(self, phases: Sequence[str]) -> None:
        self._track = Track(phases)
        self._bar.start()
        self._task = self._bar.add_task("", total=1.0, detail="")

    def note(self, text: str) -> None:
        self._console.print(Text(printable(text)), soft_wrap=True)

    def step(self, step: Step) -> None:
        if self._track is None or self._task is None:
            return
        place = self._track.advance(step)
        detail = printable(step.text)
        self._bar.update(self._task, completed=place, description=f"{TITLES[step.phase]:<9}", detail=detail)

    def problem(self, problem: Problem) -> None:
        self.close()
        super().problem(problem)

    def result(self, facts: dict[str, Any], text: str, table: Table | None = None) -> None:
        self.close()
        super().result(facts, text, table)

    def close(self) -> None:
        self._bar.stop()


class JsonLines(Output):
    """For programs: an object a line; the last one has `"event": "result"` and everything, also when it failed."""

    def __init__(self) -> None:
        self._track: Track | None = None
        self._phase = ""
        self._said_at = 0.0

    def plan(self, phases: Sequence[str]) -> None:
        self._track = Track(phases)

    def note(self, text: str) -> None:
        self._write({"event": "note", "message": text})

    def step(self, step: Step) -> None:
        now = time.monotonic()
        place = self._track.advance(step) if self._track else None
        if step.phase == self._phase and step.done != step.total and now - self._said_at < _LINE_SECONDS:
            return
        self._phase, self._said_at = step.phase, now
        line: dict[str, Any] = {"event": "progress", "phase": step.phase, "done": step.done, "total": step.total}
        if place is not None:
            line["fraction"] = round(place, 4)
        if step.bytes_per_second is not None:
            line["bytesPerSecond"] = round(step.bytes_per_second)
        self._write(line)

    def result(self, facts: dict[str, Any], text: str, table: Table | None = None) -> None:
        self._write({"event": "result", "ok": True, "exitCode": int(ExitCode.OK), "message": text, **facts})

    def problem(self, problem: Problem) -> None:
        failed = {"ok": False, "exitCode": int(problem.code), "error": problem.word, "message": str(problem)}
        self._write({"event": "result", **failed, **problem.facts})

    def _write(self, document: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(document, ensure_ascii=True) + "\n")
        sys.stdout.flush()


def output_for(*, as_json: bool, quiet: bool) -> Output:
    """The one the options and the terminal ask for."""
    if as_json:
        return JsonLines()
    if quiet:
        return Output()
    return Terminal() if sys.stderr.isatty() else Lines()
