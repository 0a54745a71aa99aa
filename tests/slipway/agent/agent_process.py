"""The agent as a process of its own, started as an operator would."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from slipway.agent.crash_points import FAULT_VARIABLE, VARIABLE
from tests.slipway.agent.platform_server import TOKEN

ROOT = Path(__file__).parents[3]
# `slipway-agent run --url … --cache …` with short waits: for what the agent does again and again.
IMPATIENT = """
import os, sys
from pathlib import Path
from slipway.agent import logs
from slipway.agent.agent_process import run
from slipway.agent.reporter import Intervals
from slipway.agent.settings import Settings
from slipway.client.backoff import Backoff
logs.start_logging()
url, cache = sys.argv[3], Path(sys.argv[5])
backoff = Backoff(initial_delay=0.01, max_delay=0.02)
pace = Intervals(busy=0.1, idle=0.2, sessions=0.1, threads=0.05)
sys.exit(run(Settings(url, os.environ["SLIPWAY_TOKEN"], cache, disk_floor=1 << 20, pace=pace, thread_backoff=backoff)))
"""


def environment(**more: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if name not in {"SLIPWAY_TOKEN", VARIABLE, FAULT_VARIABLE}
    }
    return kept | more


def as_user(user: str) -> list[str]:
    """The start of a command that runs as another user, who may read everything here, as the interpreter may lie in
    root's home, and may write only what is theirs."""
    capability = "+dac_read_search"
    return [
        "setpriv",
        f"--reuid={user}",
        "--regid=nogroup",
        "--clear-groups",
        f"--inh-caps={capability}",
        f"--ambient-caps={capability}",
    ]


def ordinary_user(folder: Path) -> str:
    """Somebody who is not root and owns `folder` from now on: the user that runs the tests, unless that is root."""
    if os.geteuid() != 0:
        return ""
    shutil.chown(folder, "nobody")
    return "nobody"


class AgentProcess:
    """`log` collects its stderr. `program` runs in the place of the command, with the same arguments. `user` is who it
    runs as. `disk` is the size of a memory disk of its own that holds the cache."""

    def __init__(
        self,
        url: str,
        cache: Path,
        log: Path,
        arguments: Sequence[str] = (),
        crash_at: str = "",
        fault_at: str = "",
        program: str = "",
        user: str = "",
        token: str = TOKEN,
        disk: str = "",
    ) -> None:
        self.log_path = log
        command = [sys.executable, *(["-c", program] if program else ["-m", "slipway.agent"])]
        command += ["run", "--url", url, "--cache", str(cache)]
        command += ["--disk-floor", "1M", *arguments]
        if user:
            command = [*as_user(user), *command]
        if disk:
            script = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'
            cache.mkdir(exist_ok=True)
            command = ["unshare", "-rm", "sh", "-c", script, "sh", disk, str(cache), *command]
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment(SLIPWAY_TOKEN=token, **{VARIABLE: crash_at, FAULT_VARIABLE: fault_at}),
                stdin=subprocess.DEVNULL,
                stderr=stderr,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def inside(self, path: Path) -> Path:
        """A path on its own memory disk, as this process reaches it."""
        return Path(f"/proc/{self.pid}/root{path}")

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = 60.0) -> int:
        """Its exit code, negative for a signal."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        """End it as a power cut would; nothing happens when it has ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
