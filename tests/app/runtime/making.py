"""`make run` without make: the supervisor of one instance folder as a test starts it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import urllib3

from tests.app.runtime.processes import free_port, is_alive, tree, wait_until

START_SECONDS = 90.0
_number = itertools.count(1)


class Run:
    """A supervisor and what it says. `start` waits for the greeting, `close` leaves nothing whatever happened."""

    def __init__(self, folder: Path, port: int | None = None, **settings: str) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.http = urllib3.PoolManager(retries=False, timeout=10)
        self._settings = settings
        self._seen: dict[int, str] = {}
        self._output = folder.with_name(f"output-{next(_number)}")  # of its own: a folder may be started again

    def launch(self) -> Run:
        """Start it and return at once."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("S3_", "SLIPWAY_", "REDIS_"))}
        with self._output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.runtime.supervisor"],
                env=kept | {"PORT": str(self.port), "SLIPWAY_INSTANCE": str(self.folder)} | self._settings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self

    def start(self) -> Run:
        self.launch()
        wait_until(lambda: self.said("Slipway is running") or self.process.poll() is not None, START_SECONDS, "running")
        assert self.process.poll() is None, self.output
        return self

    @property
    def output(self) -> str:
        return self._output.read_text()

    def said(self, text: str) -> bool:
        return text in self.output

    @property
    def demo(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "demo.json").read_text())
        return found

    def processes(self) -> dict[int, str]:
        """Everything it runs, itself included: pid -> command line."""
        found = tree(self.process.pid)
        self._seen.update(found)
        return found

    def pid_of(self, part: str) -> int:
        """The one direct child whose command line contains `part`."""
        ours = {child.pid for child in psutil.Process(self.process.pid).children()}
        (found,) = [pid for pid, line in self.processes().items() if part in line and pid in ours]
        return found

    def left(self) -> dict[int, str]:
        """Processes seen so far that still run: pid -> command line as it was seen."""
        return {pid: line for pid, line in self._seen.items() if is_alive(pid)}

    def healthy(self) -> bool:
        try:
            return self.http.request("GET", f"http://127.0.0.1:{self.port}/healthz").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def api(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """A call to the partner API with the demo's key: status and JSON."""
        answer = self.http.request(
            method,
            f"http://127.0.0.1:{self.port}/api/partners{path}",
            headers={"Authorization": f"Bearer {self.demo['apiKey']}"},
            json=body,
        )
        return answer.status, json.loads(answer.data)

    def register(self, slug: str) -> None:
        game = {
            "title": "Paper Lanterns",
            "slug": slug,
            "developer": "Kite Works",
            "description": "Lanterns, made of paper.",
            "tags": ["Visual Novel"],
            "launcher": "paper-lanterns.sh",
            "renpyDir": "PaperLanterns-1",
        }
        status, answer = self.api("POST", "/games", game)
        assert status == 201, answer

    def open_upload(self, slug: str) -> socket.socket:
        """An upload of 1 GiB that has begun and never goes on."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(
            f"PUT /api/partners/games/{slug}/upload HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Authorization: Bearer {self.demo['apiKey']}\r\nContent-Type: application/gzip\r\n"
            f"Content-Length: {1024**3}\r\n\r\n".encode()
            + b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
        )
        return connection

    def signal(self, which: signal.Signals) -> None:
        self.processes()
        self.process.send_signal(which)

    def close(self) -> None:
        self.processes()
        for pid in list(self.left()):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
