"""Reports of one agent about a download, in whole percents. Pages show the percentage, which identifies the report."""

from __future__ import annotations

import json
from http.client import HTTPConnection

from bench.harness.bench_server import BenchServer


class Agent:
    """The bench server's game server, downloading build `build` of `total` bytes."""

    def __init__(self, stage: BenchServer, game_id: str, build: int, total: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", stage.port)
        self._headers = {"Authorization": f"Bearer {stage.token}", "Content-Type": "application/json"}
        self._game_id, self.build, self._total = game_id, build, total
        self._boot, self._sequence = f"bench-{id(self)}", 0

    def rested(self) -> None:
        """Call this after a pause: the server has closed the connection, and the next report opens a new one."""
        self._connection.close()

    def report(self, percent: int) -> None:
        """Send a report of `percent` downloaded."""
        self._sequence += 1
        body = {
            "bootId": self._boot,
            "sequence": self._sequence,
            "health": {"status": "ok", "containers": 0, "cpu_percent": 1, "memory_percent": 1, "disk_percent": 1},
            "disk": {"totalBytes": self._total, "freeBytes": self._total, "floorBytes": 0},
            "builds": [
                {
                    "gameId": self._game_id,
                    "build": self.build,
                    "phase": "downloading",
                    "bytesDone": percent * self._total // 100,
                    "bytesTotal": self._total,
                    "bytesPerSecond": 10**6,
                }
            ],
        }
        self._connection.request("POST", "/api/servers/self/reports", json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"a report was refused: {text!r}")
