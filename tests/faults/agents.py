"""Real agents of a real platform, as processes that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from slipway.agent.crash_points import VARIABLE
from tests.app.uploads.raw.live import ROOT


class RealAgent:
    """`slipway-agent run` on a cache directory; `log` collects what it says over all its runs."""

    def __init__(self, url: str, token: str, cache: Path) -> None:
        self.cache = cache
        self.log = cache.with_suffix(".log")
        self._token = token
        self._command = [
            sys.executable,
            "-m",
            "slipway.agent",
            "run",
            "--url",
            url,
            "--cache",
            str(cache),
            "--disk-floor",
            "1M",
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, crash_at: str = "") -> RealAgent:
        kept = {name: value for name, value in os.environ.items() if name not in {"SLIPWAY_TOKEN", VARIABLE}}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=kept | {"SLIPWAY_TOKEN": self._token, VARIABLE: crash_at},
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        return self

    def wait(self, seconds: float = 30) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End it as a power cut would; nothing happens when it has ended."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
