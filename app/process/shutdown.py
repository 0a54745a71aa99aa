"""How a web process ends: no new work, streams and polls end at once, uploads after a while. It never outlives its
parent.

gunicorn's signal handler (app/runtime/web_server/gunicorn_settings.py) calls `begin`, which calls the callbacks that
waiting and transferring code registered here. The state belongs to the process, because a signal does.
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
    """The end of one process. Calls every registered callback once. All methods may be called from any thread.

    Do not call them from a signal handler: they take a lock that the interrupted thread may hold.
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
        """Stop: run the callbacks of `when_stopping` now, and those of `when_cut` in `drain_seconds`.

        May be called again: a shorter time brings the cut forward, a longer one changes nothing.
        """
        with self._lock:
            first = not self.stopping.is_set()
            self._cut_at = min(self._cut_at, time.monotonic() + drain_seconds)
            self._cut_at_changed.notify()
            self.stopping.set()
            due = list(self._soon.values()) if first else []
        if first:
            threading.Thread(target=self._cut_when_due, name="cut", daemon=True).start()
        _call_all(due)

    def when_stopping(self, callback: Callback) -> Unregister:
        """Call `callback` once when stopping begins, or now if it has begun. Returns a function that unregisters it."""
        with self._lock:
            if not self.stopping.is_set():
                return self._register(self._soon, callback)
        _call_all([callback])
        return lambda: None

    def when_cut(self, callback: Callback) -> Unregister:
        """Call `callback` once when the time for running uploads is over, or now if it is."""
        with self._lock:
            if not self._cut:
                return self._register(self._late, callback)
        _call_all([callback])
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
            due = list(self._late.values())
        _call_all(due)


def _call_all(callbacks: list[Callback]) -> None:
    for callback in callbacks:
        try:
            callback()
        except Exception:
            # One that fails must not stop the others from being called: the process would go on until it is killed.
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
    """Let the kernel send `by` to this process when the thread that forked it ends, even by `kill -9` of the parent.

    For the child's side of a fork: `preexec_fn=partial(die_with_parent, os.getpid())`, or a gunicorn hook. Fork in a
    thread that lives as long as the parent, or the child dies early (prctl(2), PR_SET_PDEATHSIG). Signals that the
    parent blocked are unblocked: exec inherits the mask, and most programs never look at theirs.
    """
    if _prctl is not None and _prctl(_PR_SET_PDEATHSIG, by, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if os.getppid() != parent:  # the parent died before the prctl call
        os.kill(os.getpid(), by)
