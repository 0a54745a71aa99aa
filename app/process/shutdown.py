"""How a web process ends: no new work, streams and polls at once, uploads after a while, never outliving its parent.

gunicorn's signal handler (app/runtime/web_server/gunicorn_settings.py) calls `begin`; whoever waits or transfers
registers here and is told. The state is the process's, because a signal is.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

Callback = Callable[[], object]
Unregister = Callable[[], None]

log = logging.getLogger(__name__)


class Shutdown:
    """One end, told once to everyone who asked. Every method may be called from any thread.

    Not from a signal handler: it takes a lock that the interrupted thread may hold.
    """

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._soon: dict[object, Callback] = {}
        self._late: dict[object, Callback] = {}
        self._cut = False
        self._cut_at = float("inf")
        self._cut_at_changed = threading.Condition(self._lock)

    def begin(self, drain_seconds: float) -> None:
        """Stop: run what waits for `when_stopping` now, and what waits for `when_cut` in `drain_seconds`.

        Again is harmless; a shorter time brings the cut forward, a longer one changes nothing.
        """
        with self._lock:
            first = not self.stopping.is_set()
            self._cut_at = min(self._cut_at, time.monotonic() + drain_seconds)
            self._cut_at_changed.notify()
            self.stopping.set()
            told = list(self._soon.values()) if first else []
        if first:
            threading.Thread(target=self._cut_when_due, name="cut", daemon=True).start()
        _tell(told)

    def when_stopping(self, callback: Callback) -> Unregister:
        """Call `callback` once when stopping begins (here and now if it has). Returns what takes it off the list."""
        with self._lock:
            if not self.stopping.is_set():
                return self._register(self._soon, callback)
        _tell([callback])
        return lambda: None

    def when_cut(self, callback: Callback) -> Unregister:
        """Call `callback` once when the time for running uploads is over (here and now if it is)."""
        with self._lock:
            if not self._cut:
                return self._register(self._late, callback)
        _tell([callback])
        return lambda: None

    def _register(self, waiting: dict[object, Callback], callback: Callback) -> Unregister:
        key = object()
        waiting[key] = callback

        def unregister() -> None:
            with self._lock:
                waiting.pop(key, None)

        return unregister

    def _cut_when_due(self) -> None:
        with self._lock:
            while (left := self._cut_at - time.monotonic()) > 0:
                self._cut_at_changed.wait(left)
            self._cut = True
            told = list(self._late.values())
        _tell(told)


def _tell(callbacks: list[Callback]) -> None:
    for callback in callbacks:
        try:
            callback()
        except Exception:
            # One that fails must not keep the others from hearing it: they would hold the process until it is killed.
            log.exception("a shutdown callback failed")


process = Shutdown()
stopping = process.stopping
begin = process.begin
when_stopping = process.when_stopping
when_cut = process.when_cut


_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Loaded now, because die_with_parent runs between fork and exec, where loading a library could deadlock.
_prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def die_with_parent(parent: int, by: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send us `by` when the thread that forked this process ends, `kill -9` of the parent included.

    For the child's side of a fork: `preexec_fn=partial(die_with_parent, os.getpid())`, or a gunicorn hook. Spawn from a
    thread that lives as long as the parent, or the child dies early (prctl(2), PR_SET_PDEATHSIG). Signals blocked by
    the parent are unblocked: a mask is inherited through exec, and most programs never look at theirs.
    """
    if _prctl is not None and _prctl(_PR_SET_PDEATHSIG, by, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if os.getppid() != parent:  # it died before the kernel was told to watch it
        os.kill(os.getpid(), by)
