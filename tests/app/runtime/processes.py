"""Watching real processes from a test: conditions with deadlines, and process trees by pid."""

from __future__ import annotations

import selectors
import socket
import subprocess
import time
from collections.abc import Callable

import psutil


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Return once `condition()` is true; fail with `what` after `seconds`."""
    began = time.monotonic()
    waiting = selectors.DefaultSelector()  # with nothing registered, select() is a plain wait
    with waiting:
        while True:
            asked = time.monotonic()
            if condition():
                return
            answered = time.monotonic()
            if answered - began > seconds:
                raise AssertionError(f"not within {seconds} s: {what}")
            # Conditions cost the machine time, too: some read all of storage.
            waiting.select(max(0.02 if answered - began < 1 else 0.05, min(0.5, 3 * (answered - asked))))


def is_alive(pid: int) -> bool:
    """Whether `pid` runs. A zombie has ended: it only waits for its parent to read its status."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def tree(pid: int) -> dict[int, str]:
    """The process and everything below it: pid -> command line."""
    try:
        root = psutil.Process(pid)
        found = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return {}
    lines: dict[int, str] = {}
    for process in found:
        try:
            lines[process.pid] = " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return lines


def read_line(process: subprocess.Popen[str], deadline: float) -> str:
    """The next line the process prints, or a failure after `deadline` seconds."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ)
        if not waiting.select(deadline):
            raise AssertionError(f"process {process.pid} printed nothing in {deadline} s")
    return process.stdout.readline()


_held: list[socket.socket] = []


def free_port() -> int:
    """A port on loopback that nothing listens on, and that is chosen for nobody else while this process lives.

    A socket that is bound and never listens stays on it: then no `bind` to port 0 and no `connect` of anybody gets it,
    and a server that asks for it by number does (both with SO_REUSEADDR, as every server has).
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _held.append(held)
    port: int = held.getsockname()[1]
    return port
