"""Named points at which the kill tests end the process as a power cut would: no handler, no flush."""

from __future__ import annotations

import os
import signal

VARIABLE = "SLIPWAY_CRASH_AT"

NAMES = (
    "after-plan",
    "mid-download",
    "after-download",
    "after-verify",
    "mid-unpack",
    "after-unpack",
    "before-rename",
    "after-rename",
    "before-current",
    "after-current",
    "mid-evict",
    "after-evict-rename",
    "before-report",
    "after-report",
)


def crash_point(name: str) -> None:
    """SIGKILL this process if the environment names this point; otherwise nothing."""
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
