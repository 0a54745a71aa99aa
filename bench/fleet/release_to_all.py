"""A release to 500 servers whose agents all wait for a new plan, on SQLite and on Postgres: seconds until an agent has
its plan, the release itself, and what 500 waiting polls cost."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path

import psutil
import urllib3
from sqlalchemy import select

from app import create_app
from app.config.settings import load_settings
from app.data.database import writing
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.pack import BuildPack, PackUpdate
from bench.fleet.fleet_reports import seed_servers, server_token
from bench.fleet.waiting_agents import WaitingFleet
from bench.harness.bench_server import BenchServer, percentile, rss_mib, running_server, verdict
from bench.harness.postgres import running_postgres
from tests.many_rows import SLUG, Many

SERVERS = 500
RELEASES = 6  # each of another build, which no server has
BUILDS = 20


def run(directory: Path) -> bool:
    """Whether 95 of 100 agents have the plan within 2 s of the release, on both databases."""
    (directory / "sqlite").mkdir()
    (directory / "postgres").mkdir()
    with running_server(directory / "sqlite") as stage:
        met = _measure(stage, "SQLite")
    with (
        running_postgres(directory) as url,
        running_server(directory / "postgres", DATABASE_URL=url) as stage,
    ):
        return _measure(stage, "Postgres") and met


def _measure(stage: BenchServer, database: str) -> bool:
    seed_servers(stage, Many(games=3, builds=BUILDS, servers=SERVERS, entries=0, assets=0))
    _seed_packs(stage)
    idle = rss_mib(stage.worker)
    fleet = WaitingFleet(stage.port, [server_token(number) for number in range(SERVERS)])
    process, delays, calls, cpu = psutil.Process(stage.worker), [], [], []
    fleet.await_build(BUILDS, 120)  # it is live from the beginning
    for number in range(1, RELEASES + 1):
        _await_quiet(process, fleet)
        waiting = rss_mib(stage.worker)
        before, begun = _seconds(process), time.monotonic()
        with ThreadPoolExecutor(1) as caller:
            call = caller.submit(_release, stage, number)
            fleet.await_build(number, 60)
            calls.append(call.result() - begun)
        delays += [agent.planned_at - begun for agent in fleet.agents]
        cpu.append(_seconds(process) - before)
    fleet.close()
    print(f"  {database}, load average {os.getloadavg()[0]:.1f}: release p95 {percentile(calls, 0.95) * 1000:.0f} ms,")
    print(
        f"  plan median {percentile(delays, 0.5):.2f} s; {SERVERS} waiting polls: {waiting - idle:.0f} MiB of RSS more;"
    )
    print(f"  CPU of the web process until all have their plans: {percentile(cpu, 0.5):.2f} s (median)")
    return verdict(f"{database}: plan after a release p95", percentile(delays, 0.95), 2, least=False, unit=" s")


def _seed_packs(stage: BenchServer) -> None:
    """Each build has its pack and an update from every other one, as builds have before they are released. Otherwise
    the release would begin to make them, and each server would get a second plan."""
    app = create_app(load_settings(stage.environment))
    with app.app_context(), writing() as session:
        builds = session.scalars(select(Build.id)).all()
        for build in builds:
            session.add(
                BuildPack(
                    build_id=build,
                    state="ready",
                    folder=f"packs/of-{build}",
                    pack_bytes=10**9,
                    index_bytes=10**6,
                    index_sha256=f"{1:064x}",
                    index_size=10**7,
                    made_at=now(),
                )
            )
        session.flush()
        for build, other in permutations(builds, 2):
            session.add(
                PackUpdate(build_id=build, from_build_id=other, folder=f"packs/of-{build}", fetched_bytes=10**6)
            )


def _await_quiet(process: psutil.Process, fleet: WaitingFleet) -> None:
    """Until all polls wait: the process has used little CPU for half a second."""
    while True:
        before = _seconds(process)
        fleet.keep_polling(0.5)
        if _seconds(process) - before <= 0.15:  # polls end after 25 s and begin again, twenty per second
            return


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _release(stage: BenchServer, number: int) -> float:
    """When it was answered."""
    answer = urllib3.request(
        "POST",
        f"{stage.url}/api/partners/games/{SLUG}/releases",
        headers={"Authorization": f"Bearer {stage.key}"},
        json={"build": number},
        timeout=60,
    )
    if answer.status != 201:
        raise SystemExit(f"releasing build {number}: {answer.status} {answer.data!r}")
    return time.monotonic()
