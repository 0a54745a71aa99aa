"""1,000 open live pages of one game at one event a second: the delay of events, and their cost.

A separate process simulates the browsers, so that its work does not count as the app's. Both share the machine's cores;
the simulator's CPU is printed separately.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

from bench.agent_reports import Agent
from bench.bench_server import BenchServer, cpu_seconds, percentile, register_game, rss_mib, running_server, verdict
from tests.game_archives import game_archive

PAGES = 1000
SECONDS = 20


def run(directory: Path) -> bool:
    """Whether every target was met."""
    with running_server(directory) as stage:
        game_id = register_game(stage, "live")
        _send_build(stage)
        idle = rss_mib(stage.worker)
        simulator = subprocess.Popen(
            [sys.executable, "-m", "bench.live_page_clients", str(stage.port), str(PAGES), str(SECONDS + 5)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        if simulator.stdout is None or simulator.stdout.readline().strip() != "open":
            raise SystemExit("the simulated pages could not be opened")
        cpu = cpu_seconds(stage.worker)
        sent, json_times = _report_every_second(stage, game_id)
        cpu = (cpu_seconds(stage.worker) - cpu) / SECONDS
        during = rss_mib(stage.worker)
        simulator_cpu = cpu_seconds(simulator.pid)
        received = json.loads(simulator.communicate()[0])
    late = [at - sent[int(mark)] for mark, times in received.items() if int(mark) in sent for at in times]
    print(f"  {len(late):,} events received of {len(sent) * PAGES:,}; median {percentile(late, 0.5) * 1000:.0f} ms")
    print(f"  web process {cpu:.0%} of a core; simulator {simulator_cpu / SECONDS:.0%} of a core")
    met = verdict("events received", len(late) / (len(sent) * PAGES), 0.99, least=True)
    met &= verdict("event p95", percentile(late, 0.95) * 1000, 80, least=False, unit=" ms")
    met &= verdict("RSS above idle", during - idle, 60, least=False, unit=" MiB")
    return verdict("JSON p95 meanwhile", percentile(json_times, 0.95) * 1000, 50, least=False, unit=" ms") and met


def _send_build(stage: BenchServer) -> None:
    connection = HTTPConnection("127.0.0.1", stage.port)
    connection.request(
        "PUT",
        "/api/partners/games/live/upload",
        game_archive("game.sh"),
        {"Authorization": f"Bearer {stage.key}", "Content-Type": "application/gzip"},
    )
    if connection.getresponse().status != 200:
        raise SystemExit("the build was not taken")


def _report_every_second(stage: BenchServer, game_id: str) -> tuple[dict[int, float], list[float]]:
    """One report per second whose percentage the pages show, and ten JSON calls between two reports."""
    agent = Agent(stage, game_id, 1, 10**9)
    reader = HTTPConnection("127.0.0.1", stage.port)
    sent: dict[int, float] = {}
    times: list[float] = []
    begun = time.monotonic()
    for number in range(1, SECONDS + 1):
        sent[number] = time.time()
        agent.report(number)
        while time.monotonic() < begun + number:
            started = time.monotonic()
            reader.request("GET", "/api/partners/games/live/sync", headers={"Authorization": f"Bearer {stage.key}"})
            reader.getresponse().read()
            times.append(time.monotonic() - started)
            time.sleep(0.09)
    return sent, times
