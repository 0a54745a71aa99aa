"""What ends a command early, in one plain sentence with a remedy."""

from __future__ import annotations

from typing import Any

from slipway.cli.exit_codes import ExitCode


class CommandError(Exception):
    """`str()` is for people, `word` for programs (the platform's `error` where it gave one), `facts` go into the last
    line of `--json`."""

    def __init__(self, message: str, code: ExitCode, word: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.code = code
        self.error_code = word or code.name.lower()
        self.facts = facts
