"""500 servers that report a download once a second to one process, on SQLite and on Postgres: rate, delay, CPU, RSS."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import psutil
from sqlalchemy import func, select, update

from app import create_app
from app.accounts.actors import Actor
from app.accounts.keys import create_key
from app.accounts.secrets import fingerprint
from app.config.settings import load_settings
from app.data.database import writing
from app.data.extensions import db
from app.data.models.partner import Partner
from app.data.models.server import Replica, Server
from bench.harness.bench_server import BenchServer, rss_mib, running_server, verdict
from bench.harness.postgres import running_postgres
from bench.harness.wrk import require_wrk
from tests.many_rows import Many, add_many

SERVERS = 500
SECONDS = 20
SCRIPT = Path(__file__).parent / "reports.lua"


def run(directory: Path) -> bool:
    """Whether SQLite keeps up with one report per server and second. Postgres is measured beside it."""
    require_wrk()
    (directory / "sqlite").mkdir()
    (directory / "postgres").mkdir()
    with running_server(directory / "sqlite") as stage:
        met = _measure(stage, "SQLite")
    with running_postgres(directory) as url, running_server(directory / "postgres", DATABASE_URL=url) as stage:
        _measure(stage, "Postgres")
    return met


def _measure(stage: BenchServer, database: str) -> bool:
    _seed(stage)
    print(f"  {database}, load average {os.getloadavg()[0]:.1f}")
    first = 1
    while _unreported(stage):  # the first report of each server is not one of numbers only
        _wrk(stage, first=first, seconds=5, connections=64, unpaced="yes")
        first += 1000
    process, before, began = psutil.Process(stage.worker), _cpu(stage), time.monotonic()
    rate, p95 = _wrk(stage, first=100_000, seconds=SECONDS, connections=SERVERS)
    used = _cpu(stage) - before
    cpu = used / (time.monotonic() - began)
    print(f"  {database}: {rate:.0f} reports/s from {SERVERS} servers, web process {cpu:.0%} of a core,", end=" ")
    print(f"RSS {rss_mib(stage.worker):.0f} MiB, {process.num_threads()} threads")
    met = verdict(f"{database}: accepted reports per second", rate, 0.95 * SERVERS, least=True)
    met &= verdict(f"{database}: report p95", p95, 100, least=False, unit=" ms")
    # A busy machine changes this one least: with 2 ms one core has room for one report per second of 500 servers.
    met &= verdict(f"{database}: CPU per report", used * 1000 / (rate * SECONDS), 1.8, least=False, unit=" ms")
    most, _ = _wrk(stage, first=200_000, seconds=SECONDS / 2, connections=64, unpaced="yes")
    print(f"  {database}: at most {most:.0f} reports/s on 64 connections without a pause")
    _check_all_arrived(stage)
    return met


def _cpu(stage: BenchServer) -> float:
    times = psutil.Process(stage.worker).cpu_times()
    return float(times.user + times.system)


def _wrk(stage: BenchServer, first: int, seconds: float, connections: int, unpaced: str = "") -> tuple[float, float]:
    """Accepted reports per second and the 95th percentile of all delays in milliseconds."""
    environment = os.environ | {"FIRST_SEQUENCE": str(first)} | ({"UNPACED": unpaced} if unpaced else {})
    said = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", "-s", str(SCRIPT), stage.url],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    ).stdout
    rate, p95 = re.search(r"Requests/sec:\s+([\d.]+)", said), re.search(r"p95 ([\d.]+) ms", said)
    count, refused = re.search(r"(\d+) requests in", said), re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    if not rate or not p95 or not count:
        raise SystemExit(f"wrk has no figures:\n{said}")
    if refused:
        print(f"  refused for load: {refused[1]} of {count[1]}")
    accepted = 1 - int(refused[1]) / int(count[1]) if refused else 1
    return float(rate[1]) * accepted, float(p95[1])


def _seed(stage: BenchServer) -> None:
    seed_servers(stage, Many(games=3, builds=1, servers=SERVERS, entries=0, assets=0))
    app = create_app(load_settings(stage.environment))
    with app.app_context(), writing() as session:
        session.execute(update(Replica).values(phase="downloading", attempt=0, reason=None, cached_at=None))


def seed_servers(stage: BenchServer, many: Many) -> None:
    """Many rows, with servers that have not reported and whose tokens are those of `server_token`."""
    app = create_app(load_settings(stage.environment))
    with app.app_context():
        partner = db.session.scalars(select(Partner.id)).one()
        create_key(db.session.get_one(Partner, partner), "CI", ["read"], Actor("bench"))
        add_many(partner, many)
        with writing() as session:
            for number in range(many.servers):
                values = {"token_hash": fingerprint(server_token(number)), "boot_id": None}
                session.execute(update(Server).where(Server.id == f"many-{number:04}").values(values))


def server_token(number: int) -> str:
    """As of reports.lua."""
    return f"srv_bench_{number}"


def _unreported(stage: BenchServer) -> int:
    app = create_app(load_settings(stage.environment))
    with app.app_context():
        return (
            db.session.scalar(
                select(func.count()).where(Server.id.like("many-%"), Server.boot_id.is_(None)).select_from(Server)
            )
            or 0
        )


def _check_all_arrived(stage: BenchServer) -> None:
    """Every server's last report is in the database: none was only acknowledged."""
    app = create_app(load_settings(stage.environment))
    with app.app_context():
        late = db.session.scalar(
            select(func.count()).where(Server.id.like("many-%"), Server.sequence < 200_000).select_from(Server)
        )
    print(f"  servers whose last reports are missing in the database: {late}")
