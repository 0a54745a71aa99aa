"""Exit codes of `slipway-agent`, documented in docs/agents.md: launch scripts rely on them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0
    UNEXPECTED = 1
    USAGE = 2  # argparse's own code for wrong arguments
    NOT_CACHED = 3
    NOT_FOUND = 4
    REFUSED = 5
    NO_AGENT = 6
    CACHE_TAKEN = 7
    THREAD_KEEPS_ENDING = 8
    DAMAGED = 9
    NOT_CHECKED = 10
