"""The error that ends a command."""

from __future__ import annotations

from typing import Any

from slipway.cli.exit_codes import ExitCode


class CommandError(Exception):
    """`str()` is for people and names a remedy. `error_code` is for programs: the platform's `error`, or the name of
    the exit code. `facts` are added to the last line of `--json`."""

    def __init__(self, message: str, code: ExitCode, word: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.code = code
        self.error_code = word or code.name.lower()
        self.facts = facts
