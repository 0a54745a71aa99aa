"""Signals to the supervisor: stop, stop at once, or a child ended.

Signals stay blocked, and the supervisor takes them one by one when it waits. So no code is interrupted half-way, and
the sender is known.
"""

from __future__ import annotations

import os
import signal
import time

_STOP = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
# make forwards SIGTERM. Sent to the whole group (kill -TERM -<group>), the same request arrives twice.
_ECHO_SECONDS = 1.0


class Signals:
    """Counts requests to stop from its creation on. One per process, in its main thread."""

    def __init__(self) -> None:
        self.asked_to_stop = 0
        self._watched = _STOP | {signal.SIGCHLD}
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nohup
            self._watched.discard(signal.SIGHUP)
        self._last: tuple[int, bool, float] | None = None
        signal.pthread_sigmask(signal.SIG_BLOCK, self._watched)

    def wait(self, seconds: float) -> None:
        """Return after `seconds`, or sooner after the end of a child or a request to stop."""
        taken = signal.sigtimedwait(self._watched, max(seconds, 0.0))
        if taken is not None and taken.si_signo in _STOP and not self._is_echo(taken):
            self.asked_to_stop += 1

    def _is_echo(self, taken: signal.struct_siginfo) -> bool:
        """Whether this repeats the last request: the same signal, and one of the two came from our parent, make."""
        from_parent = taken.si_pid == os.getppid()
        before, self._last = self._last, (taken.si_signo, from_parent, time.monotonic())
        if before is None or taken.si_signo != before[0] or from_parent == before[1]:
            return False
        return self._last[2] - before[2] < _ECHO_SECONDS
