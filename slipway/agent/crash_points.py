"""Named points at which tests make the agent fail: the process ends as by a power cut (no handler, no flush), or one
thread meets an error that nothing there handles."""

from __future__ import annotations

import os
import signal
from collections import Counter
from threading import Lock

VARIABLE = "SLIPWAY_CRASH_AT"
FAULT_VARIABLE = "SLIPWAY_FAULT_AT"  # `plan_poller`, or `plan_poller*3` for its first three times

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

# One in each kind of thread.
FAULT_NAMES = ("reconciler", "plan-poller", "reporter", "session-watch", "fetch", "fsync", "last-report")


class InjectedFault(BaseException):
    """Not an Exception: no handler of the agent's is for it."""


def crash_point(name: str) -> None:
    """SIGKILL this process if the environment names this point; otherwise nothing."""
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)


_raised = Counter[str]()
_lock = Lock()


def fault_point(name: str) -> None:
    """Raise InjectedFault if the environment names this point and it was not raised often enough yet."""
    wanted, _, times = os.environ.get(FAULT_VARIABLE, "").partition("*")
    if wanted != name:
        return
    with _lock:
        if _raised[name] == int(times or 1):
            return
        _raised[name] += 1
    raise InjectedFault(name)
