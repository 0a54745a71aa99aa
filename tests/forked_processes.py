"""Programs in processes that are forked from one that has imported their modules. The start of Python and the imports
take most of the processor time of a short command and of a web server's start.

Each is a process of its own: with arguments, environment, output and exit code of its own. Environment variables of
Python itself (`PYTHON…`, `LC_…`) have no effect, and its command line in /proc is that of the process it comes from.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[1]
_MAX_REQUEST = 1 << 17
# They read the environment when they are imported.
_READ_ENVIRONMENT = ("app.process.crash_points",)


class ForkedProcess:
    """What tests use of `subprocess.Popen`."""

    def __init__(self, pid: int, ended: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = ended

    def poll(self) -> int | None:
        return self._read_code(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal. Raises subprocess.TimeoutExpired."""
        if (code := self._read_code(timeout)) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, which: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, which)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _read_code(self, seconds: float | None) -> int | None:
        if self.returncode is None:
            self._ended.settimeout(seconds)
            try:
                text = self._ended.recv(16)
            except (BlockingIOError, TimeoutError):
                return None
            self._ended.close()
            self.returncode = int(text)
        return self.returncode


class ForkServer:
    """Forks the processes of this test run from one that has imported `modules`."""

    def __init__(self, *modules: str) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._template = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno()), *modules],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        atexit.register(self._close)

    def start(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], out: IO[Any], err: IO[Any]
    ) -> ForkedProcess:
        """Run `python -m module arguments` in the root of the repository, with an empty standard input."""
        ended, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps([module, list(arguments), dict(environment)]).encode()
        with theirs:
            socket.send_fds(self._requests, [request], [theirs.fileno(), out.fileno(), err.fileno()])
        return ForkedProcess(int(ended.recv(16)), ended)

    def run(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], seconds: float
    ) -> tuple[int, str, str]:
        """Run it to its end: exit code, output and error output. Raises subprocess.TimeoutExpired."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            code = self.start(module, arguments, environment, out, err).wait(seconds)
            out.seek(0)
            err.seek(0)
            return code, out.read(), err.read()

    def _close(self) -> None:
        self._requests.close()
        self._template.wait()


@functools.cache
def portal_processes() -> ForkServer:
    """For `gunicorn` and `flask` with the app."""
    return ForkServer("app", "gunicorn.arbiter", "gunicorn.workers.gthread", *_READ_ENVIRONMENT)


@functools.cache
def slipway_commands() -> ForkServer:
    """For the command line."""
    return ForkServer("slipway.cli.commands")


def _next_program(requests: socket.socket) -> str:
    """Fork for each request. Returns its module, in the new process; ends when the tests end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel collects those that wait for programs
    while True:
        request, (*fds,), _, _ = socket.recv_fds(requests, _MAX_REQUEST, 3)
        if not request:
            sys.exit()
        if os.fork() == 0:
            requests.close()
            _stay_to_wait(*fds)
            module, arguments, environment = json.loads(request)
            os.environ.clear()
            os.environ.update(environment)
            sys.argv[1:] = arguments
            sys.orig_argv[:] = [sys.executable, "-m", module, *arguments]
            return str(module)
        for fd in fds:
            os.close(fd)


def _stay_to_wait(ended: int, out: int, err: int) -> None:
    """Fork again. Returns in the new process, with its output in place. This one sends its pid and its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid:
        os.write(ended, str(pid).encode())
        _, status = os.waitpid(pid, 0)
        os.write(ended, str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    for fd in (ended, out, err):
        os.close(fd)


if __name__ == "__main__":
    for _name in sys.argv[2:]:
        importlib.import_module(_name)
    _module = _next_program(socket.socket(fileno=int(sys.argv[1])))
    # A test run that was started in the background ignores SIGINT, and its programs would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for _name in set(_READ_ENVIRONMENT) & set(sys.modules):
        importlib.reload(sys.modules[_name])
    runpy.run_module(_module, run_name="__main__", alter_sys=True)
