"""1,000 open live pages of one game at one event a second: the delay of events, and their cost.

A separate process simulates the browsers, so that its work does not count as the app's. Both share the machine's cores;
the simulator's CPU is printed separately. The same with one thread per page shows what sharing a thread saves; unlike
delays, the ratio of CPU times depends little on what else the machine does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from sqlalchemy import select

from app import create_app
from app.accounts.actors import Actor
from app.accounts.partners import create_member
from app.config.settings import load_settings
from app.data.extensions import db
from app.data.models.partner import Partner
from bench.harness.agent_reports import Agent
from bench.harness.bench_server import (
    PASSWORD,
    BenchServer,
    cpu_seconds,
    percentile,
    register_game,
    rss_mib,
    running_server,
    verdict,
)
from bench.web.live_page_clients import READERS
from tests.game_archives import game_archive

PAGES = 1000
SECONDS = 20


@dataclass(frozen=True)
class Seen:
    """`late`: seconds from a report to its event, one for each page and report. `cpu`: cores of the web process.
    `memory`: MiB above idle. `json_times`: seconds of calls meanwhile."""

    late: list[float]
    cpu: float
    memory: float
    json_times: list[float]


def run(directory: Path) -> bool:
    """Whether every target was met."""
    (directory / "shared").mkdir()
    (directory / "threads").mkdir()
    seen = _seen(directory / "shared", "wsgi:app")
    met = verdict("events received", len(seen.late) / (SECONDS * PAGES), 0.99, least=True)
    met &= verdict("event p95", percentile(seen.late, 0.95) * 1000, 80, least=False, unit=" ms")
    met &= verdict("RSS above idle", seen.memory, 60, least=False, unit=" MiB")
    met &= verdict("JSON p95 meanwhile", percentile(seen.json_times, 0.95) * 1000, 50, least=False, unit=" ms")
    print("  with one thread per page:")
    threads = _seen(directory / "threads", "bench.web.thread_per_page:app")
    print(f"  event p95 {percentile(threads.late, 0.95) * 1000:.0f} ms, RSS above idle {threads.memory:.0f} MiB")
    return verdict("CPU of the web process over one thread per page", seen.cpu / threads.cpu, 0.5, least=False) and met


def _seen(directory: Path, application: str) -> Seen:
    # One partner has half of the streams, and one member at most 50.
    with running_server(directory, application, SLIPWAY_STREAMS=str(2 * PAGES)) as stage:
        game_id = register_game(stage, "live")
        _add_readers(stage)
        _send_build(stage)
        idle = rss_mib(stage.worker)
        simulator = subprocess.Popen(
            [sys.executable, "-m", "bench.web.live_page_clients", str(stage.port), str(PAGES), str(SECONDS + 5)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        if simulator.stdout is None or simulator.stdout.readline().strip() != "open":
            raise SystemExit("the simulated pages could not be opened")
        cpu = cpu_seconds(stage.worker)
        sent, json_times = _report_every_second(stage, game_id)
        cpu = (cpu_seconds(stage.worker) - cpu) / SECONDS
        memory = rss_mib(stage.worker) - idle
        simulator_cpu = cpu_seconds(simulator.pid)
        received = json.loads(simulator.communicate()[0])
    late = [at - sent[int(mark)] for mark, times in received.items() if int(mark) in sent for at in times]
    print(f"  {len(late):,} events received of {len(sent) * PAGES:,}; median {percentile(late, 0.5) * 1000:.0f} ms")
    print(f"  web process {cpu:.0%} of a core; simulator {simulator_cpu / SECONDS:.0%} of a core")
    return Seen(late, cpu, memory, json_times)


def _add_readers(stage: BenchServer) -> None:
    app, actor = create_app(load_settings(stage.environment)), Actor("bench")
    with app.app_context():
        partner = db.session.scalars(select(Partner)).one()
        for email in READERS:
            create_member(partner, email, email, "viewer", PASSWORD, actor)


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
