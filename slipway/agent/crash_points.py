"""Named points where tests make the agent fail. At a crash point the process ends as in a power cut (no handler, no
flush); at a fault point one thread raises an error that nothing handles."""

from __future__ import annotations

import os
import signal
from collections import Counter
from threading import Lock

VARIABLE = "SLIPWAY_CRASH_AT"
FAULT_VARIABLE = "SLIPWAY_FAULT_AT"  # `plan-poller`, or `plan-poller*3` for the first three times

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

# On the way of a pack, in the place of those of an archive from "mid-download" to "after-unpack".
PACK_NAMES = ("after-index", "mid-pack", "after-pack")

# In `slipway-agent verify --repair`.
REPAIR_NAMES = ("mid-repair", "after-repair")

# One in each kind of thread.
FAULT_NAMES = (
    "reconciler",
    "plan-poller",
    "reporter",
    "session-watch",
    "index-prefetch",
    "fetch",
    "fsync",
    "last-report",
)


class InjectedFault(BaseException):
    """Not an Exception, so that no handler of the agent catches it."""


def crash_point(name: str) -> None:
    """SIGKILL this process if the environment names this point."""
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)


_raised = Counter[str]()
_lock = Lock()


def fault_point(name: str) -> None:
    """Raise InjectedFault if the environment names this point, up to the number of times given there."""
    wanted, _, times = os.environ.get(FAULT_VARIABLE, "").partition("*")
    if wanted != name:
        return
    with _lock:
        if _raised[name] == int(times or 1):
            return
        _raised[name] += 1
    raise InjectedFault(name)
