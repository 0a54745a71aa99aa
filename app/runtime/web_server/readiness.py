"""READY=1 for systemd when the first worker serves.

gunicorn sends it from the master as soon as that listens. The workers then still load the app: units that start after
this one would get no answer, and a start that fails there would count as successful. systemd accepts the message from
the master alone, so a worker tells the master through a pipe.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from app.process.service import notify_ready

_VARIABLE = "NOTIFY_SOCKET"
_held_back: list[str] = []  # systemd's socket, until the master listens
_pipe: list[int] = []  # the descriptor to which a worker writes


def hold_back() -> None:
    """In the master, before gunicorn sends its message: it finds no socket."""
    if address := os.environ.pop(_VARIABLE, None):
        _held_back.append(address)


def notify_once_served() -> None:
    """In the master, after that: send READY=1 when a worker has announced itself."""
    if not _held_back:
        return
    os.environ[_VARIABLE] = _held_back.pop()
    served, written = os.pipe()
    _pipe.append(written)

    def wait_for_worker() -> None:
        # The master holds the other end too, so this only returns for a worker.
        os.read(served, 1)
        os.close(served)
        notify_ready()

    threading.Thread(target=wait_for_worker, name="readiness", daemon=True).start()


def announce() -> None:
    """In a worker that serves."""
    for written in _pipe:
        with suppress(BrokenPipeError):  # not the first worker
            os.write(written, b"\0")
        os.close(written)
    _pipe.clear()
