"""Output for people: plain lines in logs, one progress bar at a terminal, tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from slipway.cli.command_error import CommandError
from slipway.cli.output import Output, OutputTable
from slipway.cli.progress_bar import TITLES, ProgressStep, ProgressTrack
from slipway.client.printable import printable


class Lines(Output):
    """For logs: one line per phase, and the result."""

    def __init__(self) -> None:
        self._phase = ""
        # Output to a file or pipe is not wrapped, because programs read it by lines.
        width = None if sys.stdout.isatty() else 1000
        self._out = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, width=width)

    def info(self, text: str) -> None:
        sys.stderr.write(f"{printable(text)}\n")

    def step(self, step: ProgressStep) -> None:
        if step.phase != self._phase:
            self._phase = step.phase
            self.info(f"{TITLES[step.phase]} …")

    def result(self, facts: dict[str, Any], text: str, table: OutputTable | None = None) -> None:
        if table is not None and table.rows:
            self._out.print(_render_table(table))
        if text:
            self._out.print(Text(printable(text)), soft_wrap=True)


class Terminal(Lines):
    """For people: one progress bar."""

    def __init__(self) -> None:
        super().__init__()
        self._track: ProgressTrack | None = None
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=self._console,
        )
        self._task: TaskID | None = None

    def plan(self, phases: Sequence[str]) -> None:
        self._track = ProgressTrack(phases)
        self._bar.start()
        self._task = self._bar.add_task("", total=1.0, detail="")

    def info(self, text: str) -> None:
        self._console.print(Text(printable(text)), soft_wrap=True)

    def step(self, step: ProgressStep) -> None:
        if self._track is None or self._task is None:
            return
        fraction = self._track.advance(step)
        detail = printable(step.text)
        self._bar.update(self._task, completed=fraction, description=f"{TITLES[step.phase]:<9}", detail=detail)
        if step.phase != self._phase or step.done >= step.total:
            # The bar is drawn ten times a second, so the start and end of a quick phase would not show otherwise.
            self._phase = step.phase
            self._bar.refresh()

    def error(self, problem: CommandError) -> None:
        self.close()
        super().error(problem)

    def result(self, facts: dict[str, Any], text: str, table: OutputTable | None = None) -> None:
        self.close()
        super().result(facts, text, table)

    def close(self) -> None:
        self._bar.stop()


def _render_table(listing: OutputTable) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in listing.headings:
        table.add_column(heading, overflow="fold")
    for row in listing.rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table
