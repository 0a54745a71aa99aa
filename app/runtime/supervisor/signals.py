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
        self.stop_requests = 0
        self._watched = _STOP | {signal.SIGCHLD}
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nohup
            self._watched.discard(signal.SIGHUP)
        self._last: tuple[int, bool, float] | None = None
        signal.pthread_sigmask(signal.SIG_BLOCK, self._watched)

    def wait(self, seconds: float) -> None:
        """Return after `seconds`, or sooner after the end of a child or a request to stop."""
        received = signal.sigtimedwait(self._watched, max(seconds, 0.0))
        if received is not None and received.si_signo in _STOP and not self._is_echo(received):
            self.stop_requests += 1

    def _is_echo(self, received: signal.struct_siginfo) -> bool:
        """Whether this repeats the last request: the same signal, and one of the two came from our parent, make."""
        from_parent = received.si_pid == os.getppid()
        before, self._last = self._last, (received.si_signo, from_parent, time.monotonic())
        if before is None or received.si_signo != before[0] or from_parent == before[1]:
            return False
        return self._last[2] - before[2] < _ECHO_SECONDS
