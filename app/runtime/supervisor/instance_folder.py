"""The instance folder: all files of one installation, and the lock that excludes a second supervisor."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil

# If a supervisor was killed, the kernel kills its children; they end within moments.
_LEFT_OVER_SECONDS = 5.0


class InstanceTaken(RuntimeError):
    """Another supervisor runs on this folder. The text names it."""


class Instance:
    """A folder, mode 0700, locked while open. Children inherit `lock_fd`, so the lock lasts as long as any of them: a
    supervisor cannot start on a folder while a process of an earlier run is still alive."""

    def __init__(self, folder: Path, wait: Callable[[float], None] = time.sleep) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.storage = self.folder / "storage"
        self.servers = self._own("servers")
        self.logs = self._own("logs")
        self.demo_file = self.folder / "demo.json"
        self.lock_fd = self._lock(self.folder / "supervisor.lock", wait)

    def _own(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _lock(self, path: Path, wait: Callable[[float], None]) -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + _LEFT_OVER_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
                if holder.isdecimal() and _runs(int(holder)):
                    os.close(descriptor)
                    raise InstanceTaken(
                        f"{self.folder} is in use: `make run` is already running there (process {holder}). Stop that "
                        "one with Ctrl-C, or choose another folder and port: "
                        "make run SLIPWAY_INSTANCE=other PORT=8001"
                    ) from None
                if time.monotonic() > deadline:
                    os.close(descriptor)
                    raise InstanceTaken(
                        f"{self.folder} is in use by processes of an earlier run (it was process {holder or '?'}). "
                        f"`fuser {path}` names the processes; end them and start again."
                    ) from None
            wait(0.05)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor

    def close(self) -> None:
        os.close(self.lock_fd)


def _runs(pid: int) -> bool:
    """Whether the process runs. A zombie does not: it was killed, and its parent has not collected it yet."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
