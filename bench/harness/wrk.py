"""Load from `wrk` (Debian's package), which needs little of the machine that it measures."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """Answers per second, and the 99th percentile of their latencies in milliseconds."""

    rate: float
    p99: float


def require_wrk() -> None:
    """Raises SystemExit if wrk is missing."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing. Install it (Debian and Ubuntu: apt-get install wrk), then run this again.")


def load(url: str, connections: int, seconds: float, headers: dict[str, str]) -> Load:
    """GET an address over and over, each connection waiting for its answer. Raises SystemExit if one of the answers was
    an error. The headers are not secrets: the server is made for the measurement."""
    lines = [argument for name, value in headers.items() for argument in ("-H", f"{name}: {value}")]
    # One thread of wrk: the machine has few cores.
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", *lines, url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx or 3xx" in said or "Socket errors" in said:
        raise SystemExit(f"{url} did not answer as it should:\n{said}")
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert p99, said
    assert rate, said
    return Load(float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]])
