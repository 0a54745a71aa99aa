"""The `slipway` command as a process of its own, the way a pipeline runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.forked_processes import slipway_commands

ROOT = Path(__file__).parents[3]
# `python -m slipway.cli` with the signals of a terminal. A test run that was started in the background ignores SIGINT,
# and its commands would inherit that.
COMMAND = (
    sys.executable,
    "-c",
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "runpy.run_module('slipway.cli', run_name='__main__', alter_sys=True)",
)
SECONDS = 160.0  # the longest that a command of a test waits for by itself is 150


@dataclass(frozen=True)
class Ended:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The objects of `--json`."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def result(self) -> dict[str, Any]:
        """The last of them."""
        last = self.lines[-1]
        assert last["event"] == "result"
        assert last["exitCode"] == self.code
        return last


@dataclass
class Slipway:
    """Runs commands with a home of their own. `environment` is added to, or (None) taken from, theirs."""

    home: Path
    environment: dict[str, str | None] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.home / "config" / "slipway"

    def but(self, **environment: str | None) -> Slipway:
        """The same with another environment."""
        return Slipway(self.home, self.environment | environment)

    def begin(self, *arguments: object, command: Sequence[str] = COMMAND) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, *map(str, arguments)],
            cwd=ROOT,
            env=self.variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: object, command: Sequence[str] = COMMAND) -> Ended:
        """Run a command to its end. It is forked unless its environment changes how Python starts."""
        if command is not COMMAND or not all(name.startswith("SLIPWAY_") for name in self.environment):
            return ended(self.begin(*arguments, command=command))
        return Ended(*slipway_commands().run("slipway.cli", [*map(str, arguments)], self.variables(), SECONDS))

    def piped(self, content: bytes, *arguments: object) -> Ended:
        """Run a command with `content` on its standard input."""
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=ROOT,
            env=self.variables(),
            input=content,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    def variables(self) -> dict[str, str]:
        own = ("SLIPWAY_", "XDG_", "TMPDIR")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        folders = {f"XDG_{kind.upper()}_HOME": str(self.home / kind) for kind in ("config", "cache")}
        found: dict[str, str | None] = {**kept, "HOME": str(self.home), **folders, **self.environment}
        return {name: value for name, value in found.items() if value is not None}


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for the command."""
    out, err = process.communicate(timeout=SECONDS)
    return Ended(process.returncode, out, err)
