"""Many of everything: 10,000 games, 1,000 builds of one, 500 servers, 100,000 audit entries, 50,000 assets. Each page
and call that lists them: the 95th percentile of its time, and its bytes, on SQLite and on Postgres."""

from __future__ import annotations

import os
import time
from http.client import HTTPConnection
from pathlib import Path

import psutil
from sqlalchemy import select

from app import create_app
from app.accounts.actors import Actor
from app.accounts.keys import create_key
from app.config.settings import load_settings
from app.data.extensions import db
from app.data.models.partner import Partner
from bench.harness.bench_server import BenchServer, percentile, running_server, verdict
from bench.harness.postgres import running_postgres
from bench.web.live_page_clients import signed_in
from tests.many_rows import SLUG, Many, add_many

MANY = Many(games=10_000, builds=1000, servers=500, entries=100_000, assets=50_000, live=50)
READS = 30
GAMES = "/api/partners/games"
CALLS = (
    f"{GAMES}?limit=100",
    f"{GAMES}/{SLUG}",
    f"{GAMES}/{SLUG}/sync",
    f"{GAMES}/{SLUG}/builds?limit=50",
    f"{GAMES}/{SLUG}/releases?limit=50",
    "/api/v1/games?limit=100",
)
PAGES = (
    "/games",
    "/games?status=attention",
    "/games?q=many-77",
    f"/games/{SLUG}",
    f"/games/{SLUG}?page=2",
    f"/games/{SLUG}/builds/1/release",
    f"/games/{SLUG}/builds",
    f"/games/{SLUG}/activity",
    f"/games/{SLUG}/assets",
    "/servers",
    "/settings/activity",
)
# Milliseconds: pages of 1,000 games with nothing new.
TARGETS = {"/games": 25, "/games/many-999": 15}


def run(directory: Path) -> bool:
    """Whether the pages meet their targets on SQLite with 1,000 games. Everything else is printed only."""
    for name in ("pages", "sqlite", "postgres"):
        (directory / name).mkdir()
    with running_server(directory / "pages") as stage:
        _seed(stage, Many(games=1000, builds=50, servers=3, entries=500, assets=50))
        cookie = signed_in(stage.port)
        print(f"  1,000 games, load average {os.getloadavg()[0]:.1f}")
        met = True
        for path, limit in TARGETS.items():
            slow, cpu, _ = _time(stage, path, {"Cookie": cookie})
            print(f"  {path}: {cpu:.1f} ms of CPU each")
            met &= verdict(f"{path} with 1,000 games p95", slow, limit, least=False, unit=" ms")
    with running_server(directory / "sqlite") as stage:
        _table(stage, "SQLite")
    with running_postgres(directory) as url, running_server(directory / "postgres", DATABASE_URL=url) as stage:
        _table(stage, "Postgres")
    return met


def _table(stage: BenchServer, database: str) -> None:
    _seed(stage, MANY)
    cookie = signed_in(stage.port)
    print(f"  {database}, load average {os.getloadavg()[0]:.1f}: p95, CPU and bytes")
    for path in (*CALLS, *PAGES):
        headers = {"Authorization": f"Bearer {stage.key}"} if path.startswith("/api") else {"Cookie": cookie}
        slow, cpu, size = _time(stage, path, headers)
        print(f"    {path:45} {slow:7.1f} ms {cpu:6.1f} ms {size:9,} B")


def _time(stage: BenchServer, path: str, headers: dict[str, str]) -> tuple[float, float, int]:
    """The 95th percentile in milliseconds, the mean of the web process's CPU, and the bytes of the last answer. The
    first answer does not count: later ones find its parts in memory."""
    connection, times, size = HTTPConnection("127.0.0.1", stage.port), [], 0
    process, before = psutil.Process(stage.worker), 0.0
    for number in range(READS + 1):
        if number == 1:
            before = sum(process.cpu_times()[:2])
        begun = time.monotonic()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        size = len(answer.read())
        if number:
            times.append(time.monotonic() - begun)
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status}")
    cpu = (sum(process.cpu_times()[:2]) - before) / READS
    return percentile(times, 0.95) * 1000, cpu * 1000, size


def _seed(stage: BenchServer, many: Many) -> None:
    app = create_app(load_settings(stage.environment))
    with app.app_context():
        partner = db.session.scalars(select(Partner)).one()
        create_key(partner, "CI", ["read"], Actor("bench"))
        add_many(partner.id, many)
