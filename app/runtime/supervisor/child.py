"""One child process: starting, watching, restarting with back-off, ending."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from app.process.shutdown import die_with_parent
from app.runtime.supervisor.child_logs import Tail, open_log

_MAX_WAIT = 30.0
_SETTLED_SECONDS = 60.0


def spawn(
    command: Sequence[str], environment: Mapping[str, str], log: Path, pass_fds: tuple[int, ...]
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own (so that Ctrl-C reaches only the supervisor), and let the kernel kill it
    when we end.

    Call it from the main thread only: the kernel watches the thread that forks.
    """
    with open_log(log) as file:
        return subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            preexec_fn=partial(die_with_parent, os.getpid()),
            pass_fds=pass_fds,
        )


class Child:
    """A child that `start` starts. `start` may raise OSError or RuntimeError; that counts as an immediate end."""

    def __init__(self, name: str, start: Callable[[], subprocess.Popen[bytes]], log: Path) -> None:
        self.name = name
        self.log = log
        self.tail = Tail(log)
        self.process: subprocess.Popen[bytes] | None = None
        self._start = start
        self._started_at = 0.0
        self._start_again_at = 0.0
        self._failures = 0

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        self._started_at = time.monotonic()
        self.process = self._start()

    def watch(self) -> str | None:
        """Restart it if it ended and its time has come. Returns a description of what happened, if anything did."""
        if self.running:
            return None
        now = time.monotonic()
        if self.process is not None:
            if now - self._started_at > _SETTLED_SECONDS:
                self._failures = 0
            return self._failed(_ending(self.process.returncode), now)
        if now < self._start_again_at:
            return None
        try:
            self.start()
        except (OSError, RuntimeError) as error:
            return self._failed(f"could not be started: {error}", now)
        return f"{self.name} was started again"

    def _failed(self, how: str, now: float) -> str:
        """Restart 1 s after the first failure, then after twice as long each time, up to 30 s."""
        self.process = None
        wait = min(2.0**self._failures, _MAX_WAIT)
        self._failures += 1
        self._start_again_at = now + wait
        return f"{self.name} {how}; starting it again in {wait:.0f} s (its log: {self.log})"

    def terminate(self) -> None:
        if self.process is not None and self.running:
            self.process.terminate()

    def kill(self) -> None:
        """SIGKILL its whole process group, and wait until it has ended."""
        if self.process is None:
            return
        if self.running:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"
