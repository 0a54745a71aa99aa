"""The `slipway` command in processes that are forked from one that has imported it. A short command spends most of its
processor time on the start of Python and on imports."""

from __future__ import annotations

import atexit
import functools
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]
_MAX_REQUEST = 1 << 17


class ForkedCommands:
    """Runs commands. Each is a process of its own, with arguments, environment, output and exit code of its own."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._template = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def run(self, arguments: Sequence[str], environment: dict[str, str], seconds: float) -> tuple[int, str, str]:
        """Exit code, output and error output. Raises TimeoutError."""
        ended, theirs = socket.socketpair()
        with ended, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            with theirs:
                request = json.dumps([list(arguments), environment]).encode()
                socket.send_fds(self._requests, [request], [theirs.fileno(), out.fileno(), err.fileno()])
            ended.settimeout(seconds)
            code = int(ended.recv(16))
            out.seek(0)
            err.seek(0)
            return code, out.read(), err.read()

    def close(self) -> None:
        self._requests.close()
        self._template.wait()


@functools.cache
def forked_commands() -> ForkedCommands:
    """Those of this test run."""
    commands = ForkedCommands()
    atexit.register(commands.close)
    return commands


def _serve(requests: socket.socket) -> None:
    """Fork for each request. Returns in the process of a command; ends when the tests end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel collects those that wait for commands
    while True:
        request, (*fds,), _, _ = socket.recv_fds(requests, _MAX_REQUEST, 3)
        if not request:
            sys.exit()
        if os.fork() == 0:
            requests.close()
            if _is_command(*fds):
                arguments, environment = json.loads(request)
                os.environ.clear()
                os.environ.update(environment)
                sys.argv[1:] = arguments
                return
        for fd in fds:
            os.close(fd)


def _is_command(ended: int, out: int, err: int) -> bool:
    """Fork again: the new process is the command, with its output at its place. This one waits and sends its code."""
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
    return True


if __name__ == "__main__":
    import slipway.cli.commands  # noqa: F401  what every command imports

    _serve(socket.socket(fileno=int(sys.argv[1])))
    # A test run that was started in the background ignores SIGINT, and its commands would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    runpy.run_module("slipway.cli", run_name="__main__", alter_sys=True)
