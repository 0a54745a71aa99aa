"""A running Slipway to measure: its own storage and database and one gunicorn, in a temporary folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import urllib3
from flask_migrate import upgrade

from app import create_app
from app.accounts.actors import Actor
from app.accounts.keys import create_key
from app.accounts.partners import create_member, create_partner
from app.config.settings import load_settings
from app.fleet.servers import add_server
from app.storage.embedded_server import EmbeddedStorage
from bench.harness.figures import last_figure, note_figure
from tests.app.runtime.processes import free_port

ROOT = Path(__file__).parents[2]
PASSWORD = "measure twice, cut once"
EMAIL = "owner@bench.example"


@dataclass(frozen=True)
class BenchServer:
    """The app's address, its environment (also for `create_app()` here), and secrets for its API."""

    url: str
    port: int
    environment: dict[str, str]
    key: str
    token: str
    worker: int  # pid of the web process
    storage: int  # pid of the embedded storage


@contextmanager
def running_server(directory: Path, application: str = "wsgi:app", **settings: str) -> Iterator[BenchServer]:
    """Start `application`, wait until it is healthy, and stop it at the end of the block. `settings`: more variables
    of its environment."""
    embedded = EmbeddedStorage(directory / "storage")
    with embedded as storage:
        port = free_port()
        environment = {
            "SLIPWAY_INSTANCE": str(directory / "instance"),
            "PORT": str(port),
            "S3_ENDPOINT": storage.endpoint,
            "S3_ACCESS_KEY": storage.access_key,
            "S3_SECRET_KEY": storage.secret_key,
            "S3_UPLOAD_ACCESS_KEY": storage.upload_access_key,
            "S3_UPLOAD_SECRET_KEY": storage.upload_secret_key,
            "S3_BUCKET": storage.bucket,
            "SLIPWAY_API_RATE": "1000000 per minute",
            "SLIPWAY_UPLOAD_RATE": "1000000 per minute",
            "SLIPWAY_DRAIN_SECONDS": "1",
            **settings,
        }
        key, token = _prepare(environment)
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "python:app.runtime.web_server.gunicorn_settings", application],
            cwd=ROOT,
            env=os.environ | environment,
            stderr=(directory / "gunicorn.log").open("wb"),
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_healthy(url, process)
            (worker,) = psutil.Process(process.pid).children()
            assert embedded.process is not None
            yield BenchServer(url, port, environment, key, token, worker.pid, embedded.process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def _prepare(environment: dict[str, str]) -> tuple[str, str]:
    app = create_app(load_settings(environment))
    actor = Actor("bench")
    with app.app_context():
        upgrade(str(ROOT / "migrations"))
        partner = create_partner("Bench", actor)
        create_member(partner, EMAIL, "Bench Owner", "owner", PASSWORD, actor)
        _, key = create_key(partner, "bench", ["read", "write", "upload"], actor)
        _, token = add_server("srv-01", "", actor)
    return key, token


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 180  # a busy machine takes long
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if urllib3.request("GET", f"{url}/healthz", retries=False).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.1)
    raise SystemExit("the app did not become healthy")


def reset_peak(pid: int) -> None:
    """Forget the process's peak RSS so far (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mib(pid: int) -> float:
    """Peak RSS in MiB since the last reset."""
    return _status(pid, "VmHWM")


def rss_mib(pid: int) -> float:
    """RSS now, in MiB."""
    return _status(pid, "VmRSS")


def _status(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process so far, in user and kernel mode."""
    times: Any = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def register_game(stage: BenchServer, slug: str, **fields: object) -> str:
    """A game that can take builds; returns its id. `fields` are further ones of the API, or other values."""
    answer = urllib3.request(
        "POST",
        f"{stage.url}/api/partners/games",
        headers={"Authorization": f"Bearer {stage.key}"},
        json={
            "title": slug,
            "slug": slug,
            "developer": "Bench",
            "description": "Measured.",
            "tags": ["Bench"],
            "launcher": "game.sh",
            "renpyDir": "Bench-1",
        }
        | fields,
    )
    if answer.status != 201:
        raise SystemExit(f"registering {slug}: {answer.status} {answer.data!r}")
    return str(answer.json()["id"])


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def verdict(what: str, value: float, limit: float, *, least: bool, unit: str = "") -> bool:
    """Print a figure beside its target and the last saved run's, and say whether it is met."""
    met = value >= limit if least else value <= limit
    target = f"target {'≥' if least else '≤'} {limit:g}{unit}"
    last = last_figure(what)
    before = f"; on {last['date']} {last['value']:.3g}{unit} at a load of {last['load']:g}" if last else "; new"
    print(f"  {'met   ' if met else 'MISSED'} {what}: {value:.3g}{unit} ({target}{before})")
    note_figure(what, value)
    return met
