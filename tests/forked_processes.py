"""Commands in processes that are forked from one that has imported their modules. The start of Python and the imports
take most of a short command's processor time.

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

ROOT = Path(__file__).parents[1]
_MAX_REQUEST = 1 << 17
# They read the environment when they are imported.
_READ_ENVIRONMENT = ("app.process.crash_points",)


class ForkServer:
    """Forks the commands of this test run from a process that has imported `modules`."""

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

    def run(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], seconds: float
    ) -> tuple[int, str, str]:
        """Run `python -m module arguments` in the root of the repository, with an empty standard input.

        Returns its exit code (negative for a signal), output and error output. Raises TimeoutError."""
        ended, theirs = socket.socketpair()
        with ended, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            request = json.dumps([module, list(arguments), dict(environment)]).encode()
            with theirs:
                socket.send_fds(self._requests, [request], [theirs.fileno(), out.fileno(), err.fileno()])
            ended.settimeout(seconds)
            code = int(ended.recv(16))
            out.seek(0)
            err.seek(0)
            return code, out.read(), err.read()

    def _close(self) -> None:
        self._requests.close()
        self._template.wait()


@functools.cache
def portal_commands() -> ForkServer:
    """For `flask` with the app."""
    return ForkServer("app", *_READ_ENVIRONMENT)


@functools.cache
def slipway_commands() -> ForkServer:
    """For the command line."""
    return ForkServer("slipway.cli.commands")


def _next_command(requests: socket.socket) -> str:
    """Fork for each request. Returns its module, in the new process; ends when the tests end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel collects those that wait for commands
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
            return str(module)
        for fd in fds:
            os.close(fd)


def _stay_to_wait(ended: int, out: int, err: int) -> None:
    """Fork again. Returns in the new process, with its output in place. This one waits and sends its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid:
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
    _module = _next_command(socket.socket(fileno=int(sys.argv[1])))
    # A test run that was started in the background ignores SIGINT, and its commands would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for _name in set(_READ_ENVIRONMENT) & set(sys.modules):
        importlib.reload(sys.modules[_name])
    runpy.run_module(_module, run_name="__main__", alter_sys=True)
