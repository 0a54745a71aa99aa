"""A person at a terminal."""

from __future__ import annotations

import codecs
import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.slipway.cli.cli_process import COMMAND, ROOT, Slipway


class Person:
    """Somebody at a terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.seen = ""

    def sees(self, text: str) -> None:
        deadline = time.monotonic() + 90
        while text not in self.seen:
            ready, _, _ = select.select([self._descriptor], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"not seen: {text!r} in {self.seen!r}"
            self.seen += self._decoder.decode(os.read(self._descriptor, 4096))

    def types(self, text: str) -> None:
        os.write(self._descriptor, f"{text}\n".encode())


@contextmanager
def terminal(slipway: Slipway, *arguments: str, code: int = 0) -> Iterator[Person]:
    """The command at a terminal of its own. It must end with `code`."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=slipway.variables() | {"TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,  # getpass reads from the controlling terminal, which is not the test's
    )
    os.close(theirs)
    try:
        yield Person(ours)
        assert process.wait(90) == code
    finally:
        process.kill()
        process.wait()
        os.close(ours)
