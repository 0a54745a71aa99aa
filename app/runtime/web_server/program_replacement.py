"""SIGHUP replaces the running program by a new one, on the same listening sockets and without a refused connection.

gunicorn's own SIGHUP starts workers from its master, which imported the app's modules when it started: they would run
a mix of the old program and the new one. Here the master starts a second master, a new process with the new code. When
all its workers serve, the first master stops as after SIGTERM: running uploads end on the old program. If the new
program does not start, the old one continues, and the log has the reason (docs/decisions/0097).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from gunicorn import systemd
from gunicorn.arbiter import Arbiter

from app.config.private_files import write_private

SUPERVISED = "SLIPWAY_SUPERVISED"  # set by `make run`
# The file descriptor to which each worker of a new program writes how many workers there are, once it serves.
_READY_VARIABLE = "SLIPWAY_READY_FD"


def _inherited_descriptor() -> int | None:
    """The descriptor that the old program handed to this one. No later process inherits it."""
    text = os.environ.pop(_READY_VARIABLE, None)
    if text is None:
        return None
    os.set_inheritable(int(text), False)
    return int(text)


_ready_descriptor = _inherited_descriptor()


def announce_worker(workers: int) -> None:
    """In a worker that serves: tell the old program, if it still waits for this one."""
    if _ready_descriptor is not None:
        try:
            os.write(_ready_descriptor, f"{workers}\n".encode())
        except BrokenPipeError:  # this worker was started later, and the old program has ended
            return


class ProgramReplacement:
    """Handles SIGHUP and SIGUSR2 in the master. `pid_file` always has the pid of the master to signal."""

    def __init__(self, server: Arbiter, pid_file: Path) -> None:
        self._server = server
        self._pid_file = pid_file
        if not server.master_pid:  # the old program writes the pid of a new one when that serves
            self._write_pid(os.getpid())
        server.handle_hup = server.handle_usr2 = self.begin

    def begin(self) -> None:
        """Start the new program, unless that cannot work."""
        if refusal := self._refusal():
            self._server.log.error("The signal to load the new program was refused: %s", refusal)
            return
        ready, written = os.pipe()
        try:
            process = self._spawn(written)
        except OSError as error:
            os.close(ready)
            self._server.log.error("The new program could not be started: %s. The old one continues.", error)
            return
        finally:
            os.close(written)
        self._server.reexec_pid = process.pid  # gunicorn collects it when it ends, and sets this to 0
        self._server.log.info("Starting the new program (pid %s)", process.pid)
        threading.Thread(target=self._watch, args=(ready, process.pid), name="replacement", daemon=True).start()

    def _refusal(self) -> str | None:
        if SUPERVISED in os.environ:
            return "`make run` supervises this server. Stop it with Ctrl-C and start it again."
        if self._server.reexec_pid:
            return f"a new program is starting already (pid {self._server.reexec_pid}). Wait for it, or end it."
        if self._server.master_pid:
            return f"the program before this one (pid {self._server.master_pid}) still finishes its uploads."
        return None

    def _spawn(self, written: int) -> subprocess.Popen[bytes]:
        """The command line and environment of this process, as they were at its start."""
        sockets = [listener.fileno() for listener in self._server.LISTENERS]
        environment = self._server.cfg.env_orig | {
            "GUNICORN_PID": str(os.getpid()),
            "GUNICORN_FD": ",".join(map(str, sockets)),
            _READY_VARIABLE: str(written),
        }
        return subprocess.Popen(
            [sys.executable, *sys.orig_argv[1:]],
            cwd=self._server.START_CTX["cwd"],
            env=environment,
            pass_fds=(*sockets, written),
        )

    def _watch(self, ready: int, pid: int) -> None:
        serving = 0
        with os.fdopen(ready) as lines:
            for line in lines:
                serving += 1
                if serving >= int(line):
                    self._hand_over(pid)
                    return
        self._server.log.error(
            "The new program (pid %s) did not start; its own lines above have the reason. The old one continues.", pid
        )

    def _hand_over(self, pid: int) -> None:
        self._server.log.info("The new program serves (pid %s). The old one ends when its uploads have ended.", pid)
        self._write_pid(pid)
        systemd.sd_notify(f"MAINPID={pid}", self._server.log)
        os.kill(os.getpid(), signal.SIGTERM)

    def remove_pid_file(self) -> None:
        """At the end of this master, unless another one serves instead."""
        with suppress(FileNotFoundError):
            if self._pid_file.read_text().strip() == str(os.getpid()):
                self._pid_file.unlink()

    def _write_pid(self, pid: int) -> None:
        write_private(self._pid_file, f"{pid}\n")
