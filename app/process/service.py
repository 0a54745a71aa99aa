"""A command that runs until a signal ends it, and tells systemd when it is ready."""

from __future__ import annotations

import os
import queue
import signal
import socket
from collections.abc import Callable


class EndRequests:
    """SIGTERM and SIGINT of this process. Make it in the main thread."""

    def __init__(self) -> None:
        # A handler may interrupt a thread that holds the very lock it needs. A SimpleQueue is safe there.
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._asked.put(None))

    def wait(self, still_works: Callable[[], bool] = lambda: True) -> bool:
        """Wait for one. True for a signal; False when `still_works` returns False, which is called every second."""
        while still_works():
            try:
                # A signal that the kernel delivers to another thread does not wake this one; its handler still runs
                # here.
                self._asked.get(timeout=1.0)
                return True
            except queue.Empty:
                continue
        return False


def notify_ready() -> None:
    """Tell the service manager that the start is complete (sd_notify(3), for units with Type=notify)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        sender.sendall(b"READY=1")
